regsvr32 /s "%ProgramFiles%\Printer\spool.dll"
