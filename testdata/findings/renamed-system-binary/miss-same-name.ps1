Copy-Item C:\Windows\System32\cmd.exe D:\winpe\cmd.exe
[IO.File]::Copy('setup.exe', 'D:\setup_2.exe')
