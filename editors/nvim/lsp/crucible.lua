-- The configuration that vim.lsp.enable('crucible') finds (Neovim 0.11 and later).
return require('crucible.client').config()
