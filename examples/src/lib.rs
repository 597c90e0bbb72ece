//! Members of the workspace that are never published.
