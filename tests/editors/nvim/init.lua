-- init.lua - Neovim as a person would set it up, reduced to what the tests look at.
vim.opt.swapfile = false
vim.opt.completeopt:append("noselect")
vim.opt.undofile = false

-- $CRUCIBLE_SETUP is Lua that gives the options; $CRUCIBLE_SNIPPET a file to be loaded instead.
if vim.env.CRUCIBLE_SNIPPET then
  dofile(vim.env.CRUCIBLE_SNIPPET)
else
  vim.opt.runtimepath:prepend(vim.env.CRUCIBLE_PLUGIN)
  local options = { cmd = { vim.env.CRUCIBLE_LS, "--stdio" }, filetypes = { "c" } }
  local more = assert(loadstring(vim.env.CRUCIBLE_SETUP or "return {}"))()
  require("crucible").setup(vim.tbl_extend("force", options, more))
end

-- What stands on the screen as ghost text, lines joined; "" where there is none.
function _G.ghost()
  local lines = {}
  for _, name in ipairs({ "nvim.lsp.inline_completion", "crucible.ghost" }) do
    local namespace = vim.api.nvim_create_namespace(name)
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
  end
  return table.concat(lines, "\n")
end

function _G.attached()
  local client = vim.lsp.get_clients({ bufnr = vim.fn.bufnr("sum.c"), name = "crucible" })[1]
  return client and client.initialized or false
end

function _G.buffer(name)
  local bufnr = vim.fn.bufnr(name or "sum.c")
  return table.concat(vim.api.nvim_buf_get_lines(bufnr, 0, -1, false), "\n") .. "\n"
end

function _G.here()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
end

-- The answer's window: {text, title, height, focused}; "" where there is none.
function _G.answer()
  for _, win in ipairs(vim.api.nvim_list_wins()) do
    local bufnr = vim.api.nvim_win_get_buf(win)
    if vim.bo[bufnr].filetype == "markdown" then
      local config = vim.api.nvim_win_get_config(win)
      local text = table.concat(vim.api.nvim_buf_get_lines(bufnr, 0, -1, false), "\n")
      local title = config.title and config.title[1][1] or vim.wo[win].statusline
      return vim.json.encode({
        text = text,
        title = title,
        height = vim.api.nvim_win_get_height(win),
        focused = vim.api.nvim_get_current_win() == win,
        windows = #vim.api.nvim_list_wins(),
        floats = config.relative ~= "",
      })
    end
  end
  return ""
end

-- What the person was asked and told, and what a test lets them answer.
_G.asked, _G.told, _G.says = {}, {}, nil
vim.ui.input = function(options, on_done)
  table.insert(_G.asked, options.prompt)
  on_done(_G.says)
end
vim.notify = function(message)
  table.insert(_G.told, message)
end
