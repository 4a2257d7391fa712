;;; crucible.el --- crucible-ls in eglot -*- lexical-binding: t -*-
;; Emacs 28 or later with eglot: put this into init.el, then M-x eglot in a file.
;; Eglot talks to one server per buffer.  Appended like this, Crucible serves the
;; modes that eglot has no other server for; name a mode instead of `prog-mode'
;; and drop the last t, and Crucible takes that mode over.
(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs
               '(prog-mode . ("crucible-ls" "--stdio")) t))
;; Suggestions are the last entry of the popup: C-M-i (completion-at-point).
;;; crucible.el ends here
