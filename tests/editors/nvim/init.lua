-- init.lua - Neovim as a person would set it up, reduced to what the tests look at.
vim.opt.swapfile = false
vim.opt.completeopt:append("noselect")

vim.lsp.config("crucible", {
  cmd = { vim.env.CRUCIBLE_LS, "--stdio" },
  filetypes = { "c" },
  root_dir = vim.fn.getcwd(),
})
vim.lsp.enable("crucible")
vim.lsp.inline_completion.enable()

vim.keymap.set("i", "<Tab>", function()
  if not vim.lsp.inline_completion.get() then
    return "<Tab>"
  end
end, { expr = true })

local namespace = vim.api.nvim_create_namespace("nvim.lsp.inline_completion")

-- What stands on the screen as ghost text, lines joined; "" where there is none.
function _G.ghost()
  local lines = {}
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
    local details = mark[4]
    local function add(chunks)
      local text = ""
      for _, chunk in ipairs(chunks) do
        text = text .. chunk[1]
      end
      table.insert(lines, text)
    end
    if details.virt_text then
      add(details.virt_text)
    end
    for _, chunks in ipairs(details.virt_lines or {}) do
      add(chunks)
    end
  end
  return table.concat(lines, "\n")
end

function _G.attached()
  local client = vim.lsp.get_clients({ bufnr = 0, name = "crucible" })[1]
  return client and client.initialized or false
end

function _G.buffer()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n") .. "\n"
end
