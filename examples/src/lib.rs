//! Nothing here: the programs are in the files beside this folder, and `README.md` lists them.
