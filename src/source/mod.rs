//! Inputs: files, folders, standard input.
