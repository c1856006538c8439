print('hello')
