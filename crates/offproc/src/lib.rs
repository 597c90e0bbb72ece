//! offproc.
