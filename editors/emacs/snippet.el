;;; snippet.el --- crucible-ls in eglot, suggestions alone -*- lexical-binding: t -*-
;; Emacs 28 or later with eglot: put this into init.el, then M-x eglot in a file.
;; Eglot talks to one server per buffer.  Appended like this, Crucible serves the
;; modes that eglot knows no other server for, installed or not; name a mode
;; (c-mode, python-mode, ...) instead of `prog-mode' and drop the last t, and
;; Crucible takes that mode over.  For one buffer alone: C-u M-x eglot, and then
;; crucible-ls --stdio as the program.
(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs
               '(prog-mode . ("crucible-ls" "--stdio")) t))
;; Suggestions are the last entry of the popup: C-M-i (completion-at-point).
;; Where the model wasn't quick enough, nothing comes; C-M-i again has it.
;; Explanations, fixes and refactorings by command: load crucible.el instead.
;;; snippet.el ends here
