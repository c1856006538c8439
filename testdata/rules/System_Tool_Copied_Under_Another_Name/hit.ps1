Copy-Item C:\Windows\System32\cmd.exe D:\winpe\cmd.exe
Copy-Item C:\Windows\System32\mshta.exe D:\public\update.exe
