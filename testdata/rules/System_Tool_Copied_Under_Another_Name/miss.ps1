Copy-Item C:\Windows\System32\cmd.exe D:\winpe\cmd.exe
copy "C:\Windows\System32\certutil.exe" "D:\winpe\certutil.exe"
