reg save HKLM\SAM a.hiv
