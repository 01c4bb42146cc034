//! Google's service accounts, from their JSON file.
