//! Report → text, JSON, SARIF, HTML.
