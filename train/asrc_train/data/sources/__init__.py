"""What data sets are read from: the data folder, archives, and the file formats in them."""
