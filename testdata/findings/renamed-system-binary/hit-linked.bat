mklink D:\public\update.exe C:\Windows\System32\mshta.exe
