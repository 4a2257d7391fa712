-- health.lua - :checkhealth crucible: is everything there, and what follows where it isn't.
local client_of = require('crucible.client')

local M = {}
local health = vim.health

local function run(command, timeout_ms)
  local ok, process = pcall(vim.system, command, { text = true, env = { NO_COLOR = '1' } })
  if not ok then
    return nil
  end
  return process:wait(timeout_ms)
end

local function check_neovim()
  health.start('Neovim')
  local version = tostring(vim.version())
  if vim.fn.has('nvim-0.12') == 1 then
    health.ok(version .. ": ghost text is the editor's own (ghost_text = 'own' takes this plugin's)")
  elseif vim.fn.has('nvim-0.11') == 1 then
    health.ok(version .. ": ghost text is this plugin's; vim.lsp.enable('crucible') works too, without it")
  elseif vim.fn.has('nvim-0.10') == 1 then
    health.ok(version .. ": ghost text is this plugin's; setup() starts the server")
  else
    health.error(version .. ' is too old', { 'Neovim 0.10 or later is needed' })
  end
end

local function command_of()
  if vim.fn.has('nvim-0.11') == 1 and vim.lsp.config[client_of.name] then
    return vim.lsp.config[client_of.name].cmd
  end
  return require('crucible').options.cmd
end

-- The program's path, or nil where it can't be run.
local function check_program()
  health.start('Server')
  local command = command_of()
  if type(command) ~= 'table' then
    health.info('cmd is a function: what it starts is not looked at')
    return nil
  end
  local path = vim.fn.exepath(command[1])
  if path == '' then
    health.error(command[1] .. ' is not in PATH', {
      'Build Crucible and put crucible-ls into PATH (sudo make install)',
      "or name it: require('crucible').setup({ cmd = { '/path/to/crucible-ls', '--stdio' } })",
    })
    return nil
  end
  local done = run({ path, '--version' }, 5000)
  if not done or done.code ~= 0 then
    health.error(path .. ' does not run', { done and vim.trim(done.stderr or '') or 'it could not be started' })
    return nil
  end
  health.ok(('%s: %s'):format(path, vim.trim(done.stdout)))
  return path
end

local function check_clients()
  health.start('Attached')
  local clients = vim.lsp.get_clients({ name = client_of.name })
  if #clients == 0 then
    health.warn('no server runs', {
      "Open a file with a name, after require('crucible').setup() or vim.lsp.enable('crucible')",
      'The log says what went wrong: ' .. vim.lsp.get_log_path(),
    })
  end
  for _, client in ipairs(clients) do
    local n = vim.tbl_count(client.attached_buffers)
    local root = client.root_dir or 'no project'
    health.ok(('client %d: %d buffer%s, %s, positions in %s'):format(
      client.id, n, n == 1 and '' or 's', root, client.offset_encoding))
    if not client.server_capabilities.inlineCompletionProvider then
      health.warn('this crucible-ls offers no inline completion', { 'Update it' })
    end
  end
  local status = vim.g.crucible_status
  if type(status) == 'table' and status.message then
    health.info('it says: ' .. status.message)
  end
end

-- One finding of the doctor as health has it.
local function report(finding)
  local line = ('%s: %s'):format(finding.subject, finding.finding)
  local advice = finding.next ~= '' and { finding.next } or nil
  if finding.status == 'FAIL' then
    health.error(line, advice)
  elseif finding.status == 'warn' then
    health.warn(line, advice)
  else
    health.ok(line)
  end
end

local function check_doctor(path)
  health.start('crucible-ls doctor')
  local done = run({ path, 'doctor', '--json' }, 30000)
  local is_read, findings = pcall(vim.json.decode, done and done.stdout or '')
  if not is_read or type(findings) ~= 'table' then
    health.info('this crucible-ls has no doctor, or it took too long')
    return
  end
  for _, finding in ipairs(findings) do
    report(finding)
  end
end

function M.check()
  check_neovim()
  local path = check_program()
  check_clients()
  if path then
    check_doctor(path)
  end
end

return M
