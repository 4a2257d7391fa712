-- Neovim 0.12 or later: put this into init.lua. It is all that ghost text takes; the plugin in
-- this folder does more, and serves 0.10 and 0.11 too.
vim.lsp.config('crucible', {
  cmd = { 'crucible-ls', '--stdio' },
  root_markers = { '.git' }, -- without filetypes: every file
})
vim.lsp.enable('crucible')
vim.lsp.inline_completion.enable(true) -- ghost text

-- Tab takes the suggestion, and stays Tab where there is none.
vim.keymap.set('i', '<Tab>', function()
  if not vim.lsp.inline_completion.get() then
    return '<Tab>'
  end
end, { expr = true, desc = 'Accept the suggestion' })
