//! Part of offproc.
