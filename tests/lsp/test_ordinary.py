"""test_ordinary.py - a day with an ordinary client: pytest-lsp and its checks of what may be sent."""
import pytest
import pytest_asyncio
from lsprotocol import types
from pytest_lsp import ClientServerConfig, client_capabilities

import client
from fixtures import TRUTH, settings_for


@pytest_asyncio.fixture
async def lsp(env, home, config, sim):
    config(settings_for(sim))
    editor = await ClientServerConfig(server_command=[client.BINARY], server_env=env).start()
    editor.feature(types.CLIENT_REGISTER_CAPABILITY)(lambda params: None)
    capabilities = client_capabilities("visual-studio-code")
    capabilities.text_document.inline_completion = types.InlineCompletionClientCapabilities()
    await editor.initialize_session(types.InitializeParams(capabilities=capabilities, root_uri=(home / "work").as_uri()))
    yield editor
    await editor.shutdown_session()
    await editor.stop()


def open_with_hole(lsp, home, before, hole):
    where = TRUTH.index(before) + len(before)
    text = TRUTH[:where] + TRUTH[where + len(hole):]
    uri = (home / "work" / "list.c").as_uri()
    lsp.text_document_did_open(types.DidOpenTextDocumentParams(
        types.TextDocumentItem(uri=uri, language_id="c", version=1, text=text)))
    line, character = client.position_of(text, where, "utf-16")
    return uri, types.Position(line, character)


async def ask(lsp, uri, position):
    return await lsp.text_document_inline_completion_async(types.InlineCompletionParams(
        text_document=types.TextDocumentIdentifier(uri), position=position,
        context=types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked)))


async def test_session_from_open_to_close(lsp, home):
    uri, position = open_with_hole(lsp, home, "    return ", "count;")
    for _ in range(20):
        result = await ask(lsp, uri, position)
        if result and result.items:
            break
    assert result.items[0].insert_text == "count;"
    assert result.items[0].range.start.line == position.line
    lsp.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))
    lsp.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
    assert not (await ask(lsp, uri, position)).items


async def test_folders_come_and_go(lsp, home):
    for name in ("one", "two"):
        (home / name).mkdir()
    folder = types.WorkspaceFolder(uri=(home / "one").as_uri(), name="one")
    other = types.WorkspaceFolder(uri=(home / "two").as_uri(), name="two")
    lsp.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(
        types.WorkspaceFoldersChangeEvent(added=[folder, other], removed=[])))
    lsp.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(
        types.WorkspaceFoldersChangeEvent(added=[], removed=[folder])))
    uri, position = open_with_hole(lsp, home, "    return ", "count;")
    assert await ask(lsp, uri, position) is not None


async def test_commands_that_are_offered_are_answered(lsp):
    offered = lsp.initialize_result.capabilities.execute_command_provider if hasattr(lsp, "initialize_result") else None
    commands = offered.commands if offered else ["crucible.status"]
    assert all(c.startswith("crucible.") for c in commands)
    for command in commands:
        try:
            await lsp.workspace_execute_command_async(types.ExecuteCommandParams(command=command, arguments=[]))
        except Exception as e:  # an error is an answer as well; silence is not
            assert "JsonRpc" in type(e).__name__
