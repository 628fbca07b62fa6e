-- ARGV: of each question: worker, task, token.
for i = 1, #ARGV, 3 do order(ARGV[i], 'q', ARGV[i + 1] .. struct.pack('>I8', ARGV[i + 2])) end
