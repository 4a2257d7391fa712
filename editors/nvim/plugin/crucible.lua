-- The command :Crucible; everything behind it is loaded when it is first used.
if vim.g.loaded_crucible then
  return
end
vim.g.loaded_crucible = true

vim.api.nvim_create_user_command('Crucible', function(call)
  require('crucible.command').run(call)
end, {
  nargs = '+',
  range = true,
  desc = 'Explain, fix, document, test or refactor with Crucible',
  complete = function(lead, line)
    return require('crucible.command').complete(lead, line)
  end,
})
