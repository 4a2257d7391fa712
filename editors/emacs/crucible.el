;;; crucible.el --- crucible-ls in eglot -*- lexical-binding: t -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1") (eglot "1.9"))
;; Keywords: convenience, languages

;;; Commentary:

;; In init.el, with the folder that this file is in:
;;
;;     (add-to-list 'load-path "/path/to/crucible/editors/emacs")
;;     (with-eval-after-load 'eglot (require 'crucible))
;;
;; then M-x eglot in a file.  Eglot talks to one server per buffer: Crucible
;; serves the modes that eglot knows no other server for.  It takes a mode over
;; with (crucible-take-over 'c-mode).
;;
;; Suggestions are the last entry of the popup: C-M-i (completion-at-point).
;; M-x crucible-explain, crucible-fix, crucible-document, crucible-tests and
;; crucible-refactor are about the region, or about what stands at point.
;; Emacs doesn't wait for them; crucible-stop stops them.  Eglot's own menu of
;; code actions (M-x eglot-code-actions) has the same.

;;; Code:

(require 'cl-lib)
(require 'eglot)
(require 'flymake)

(defvar eglot-confirm-server-edits)
(defvar eglot-confirm-server-initiated-edits)
(declare-function eglot--pos-to-lsp-position "eglot")
(declare-function eglot--signal-textDocument/didChange "eglot")
(declare-function eglot--TextDocumentIdentifier "eglot")

(defgroup crucible nil "Code by language models on your machine."
  :group 'eglot)

(defcustom crucible-program '("crucible-ls" "--stdio")
  "The server's program and its arguments."
  :type '(repeat string))

(defcustom crucible-confirm-edits nil
  "Non-nil: ask before an edit that was asked for by command is applied."
  :type 'boolean)

(defclass crucible-server (eglot-lsp-server) ()
  :documentation "A running crucible-ls.")

(defun crucible--contact (&optional _interactive)
  "What eglot starts."
  (cons 'crucible-server crucible-program))

(add-to-list 'eglot-server-programs '(prog-mode . crucible--contact) t)

(defun crucible-take-over (&rest modes)
  "Let Crucible serve MODES, whichever servers eglot knows for them."
  (dolist (mode modes)
    (push (cons mode #'crucible--contact) eglot-server-programs)))

(cl-defmethod eglot-client-capabilities :around ((_server crucible-server))
  "Say that explanations can be shown, and instructions asked for."
  (plist-put (copy-sequence (cl-call-next-method))
             :experimental '(:crucible (:answers t :instructions t))))

(cl-defmethod eglot-handle-request :around
  ((_server crucible-server) (_method (eql workspace/applyEdit)) &rest _)
  "Apply what the person has asked for already."
  (let ((eglot-confirm-server-edits crucible-confirm-edits)
        (eglot-confirm-server-initiated-edits crucible-confirm-edits))
    (cl-call-next-method)))

;;; Commands

(defun crucible--server ()
  "The server of this buffer, or an error that says what to do."
  (let ((server (eglot-current-server)))
    (if (cl-typep server 'crucible-server)
        server
      (user-error "Crucible doesn't serve this buffer: M-x eglot starts it"))))

(defun crucible--execute (server command &optional argument)
  "Have SERVER do COMMAND with ARGUMENT; Emacs goes on at once."
  (jsonrpc-async-request
   server :workspace/executeCommand
   (list :command command :arguments (if argument (vector argument) []))
   :success-fn #'ignore
   :error-fn (lambda (err)
               (message "Crucible: %s" (or (plist-get err :message) "refused")))
   :timeout-fn (lambda () (message "Crucible doesn't answer"))))

(defun crucible--range (beg end)
  "BEG and END as the protocol has them."
  (list :start (eglot--pos-to-lsp-position beg)
        :end (eglot--pos-to-lsp-position end)))

(defun crucible--argument ()
  "What a command is about: the region, or what stands at point."
  (let ((beg (if (use-region-p) (region-beginning) (point)))
        (end (if (use-region-p) (region-end) (point))))
    (eglot--signal-textDocument/didChange)
    (append (eglot--TextDocumentIdentifier)
            (list :range (crucible--range beg end)))))

(defun crucible--diagnostics ()
  "What is reported for the region, or for the line at point."
  (let ((beg (if (use-region-p) (region-beginning) (line-beginning-position)))
        (end (if (use-region-p) (region-end) (line-end-position))))
    (cl-loop for d in (and (bound-and-true-p flymake-mode)
                           (flymake-diagnostics beg (max end (min (1+ beg) (point-max)))))
             vconcat (list (list :message (flymake-diagnostic-text d)
                                 :range (crucible--range (flymake-diagnostic-beg d)
                                                         (flymake-diagnostic-end d)))))))

(defun crucible-explain ()
  "Explain the region, or what stands at point."
  (interactive)
  (crucible--execute (crucible--server) "crucible.explain" (crucible--argument)))

(defun crucible-fix ()
  "Fix what is reported for the region or the line, or what looks wrong there."
  (interactive)
  (let ((found (crucible--diagnostics)))
    (crucible--execute (crucible--server) "crucible.fix"
                       (append (crucible--argument)
                               (unless (seq-empty-p found) (list :diagnostics found))))))

(defun crucible-document ()
  "Write the documentation of the region, or of what stands at point."
  (interactive)
  (crucible--execute (crucible--server) "crucible.document" (crucible--argument)))

(defun crucible-tests ()
  "Write tests for the region, or for what stands at point."
  (interactive)
  (crucible--execute (crucible--server) "crucible.tests" (crucible--argument)))

(defun crucible-refactor (instruction)
  "Change the region, or what stands at point, as INSTRUCTION says."
  (interactive (list (read-string "What shall be done? ")))
  (if (string-blank-p instruction)
      (user-error "Nothing to do")
    (crucible--execute (crucible--server) "crucible.refactor"
                       (append (crucible--argument) (list :instruction instruction)))))

(defun crucible-toggle ()
  "Switch Crucible off, or on again, for this session."
  (interactive)
  (crucible--execute (crucible--server) "crucible.toggle"))

(defun crucible-status ()
  "Say what Crucible does and why."
  (interactive)
  (crucible--execute (crucible--server) "crucible.status"))

(defun crucible-switch-model ()
  "Choose another model."
  (interactive)
  (crucible--execute (crucible--server) "crucible.switchModel"))

;;; Instructions, where a code action was picked in eglot's menu

(defun crucible--ask (server arguments)
  "Have SERVER refactor as ARGUMENTS say, asking for what they lack."
  (let ((argument (copy-sequence (seq-elt arguments 0))))
    (when (and (plist-member argument :uri)
               (not (plist-get argument :instruction))
               (not (plist-get argument :action)))
      (let ((instruction (read-string "What shall be done? ")))
        (when (string-blank-p instruction)
          (user-error "Nothing to do"))
        (setq argument (plist-put argument :instruction instruction))))
    (crucible--execute server "crucible.refactor" argument)))

(if (fboundp 'eglot-execute)
    (cl-defmethod eglot-execute :around ((server crucible-server) action)
      "Ask for the instruction that ACTION lacks, and don't wait for SERVER."
      (let ((command (plist-get action :command)))
        (cond ((not (stringp command)) (cl-call-next-method))
              ((equal command "crucible.refactor")
               (crucible--ask server (plist-get action :arguments)))
              (t (crucible--execute server command
                                    (seq-first (plist-get action :arguments)))))))
  (cl-defmethod eglot-execute-command
    ((server crucible-server) (_command (eql crucible.refactor)) arguments)
    "Ask for the instruction that ARGUMENTS lack."
    (crucible--ask server arguments)))

;;; Explanations

(defvar crucible--answer nil
  "What the buffer *crucible* shows: (SERVER ID . DONE).")

(defvar crucible--dropped nil
  "Ids of answers that were stopped, until their last word.")

(defvar crucible-answer-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map "q" #'crucible-answer-quit)
    map))

(define-derived-mode crucible-answer-mode special-mode "Crucible"
  "Mode of the buffer in which an explanation grows."
  (visual-line-mode 1)
  (add-hook 'kill-buffer-hook #'crucible-stop nil t))

(defun crucible-stop ()
  "Stop the explanation that is being written."
  (interactive)
  (pcase crucible--answer
    (`(,server ,id . nil)
     (setq crucible--answer nil)
     (push id crucible--dropped)
     (ignore-errors
       (jsonrpc-notify server :window/workDoneProgress/cancel (list :token id))))))

(defun crucible-answer-quit ()
  "Close the explanation, and stop it where it isn't done."
  (interactive)
  (crucible-stop)
  (quit-window))

(defun crucible--write (text)
  "Make TEXT the buffer's text; what is the same stays as it is."
  (let ((inhibit-read-only t)
        (old (buffer-substring-no-properties (point-min) (point-max))))
    (save-excursion
      (let* ((differs (compare-strings old nil nil text nil nil))
             (same (if (eq differs t) (length text) (1- (abs differs)))))
        (goto-char (+ (point-min) same))
        (delete-region (point) (point-max))
        (insert (substring text same))))))

(defun crucible--show (server id title text done err)
  "Show TEXT, as SERVER's answer ID has it now, under TITLE."
  (pcase-let ((`(,_ ,shown . ,was-done) crucible--answer))
    (unless (equal shown id)
      (unless was-done (crucible-stop))
      (with-current-buffer (get-buffer-create "*crucible*")
        (unless (derived-mode-p 'crucible-answer-mode)
          (crucible-answer-mode))
        (let ((inhibit-read-only t))
          (erase-buffer)))
      (display-buffer "*crucible*" '((display-buffer-reuse-window display-buffer-pop-up-window))))
    (setq crucible--answer (cons server (cons id done))))
  (with-current-buffer "*crucible*"
    (setq header-line-format (concat " " (string-replace "%" "%%" title) (unless done " ...")))
    (crucible--write (if err (concat text (unless (string-empty-p text) "\n\n") "Broken off: " err)
                       text))))

(cl-defmethod eglot-handle-notification
  ((server crucible-server) (_method (eql crucible/answer))
   &key id title text done error &allow-other-keys)
  "Show an explanation of SERVER as it grows."
  (let ((is-done (eq done t)))
    (cond ((member id crucible--dropped)
           (when is-done (setq crucible--dropped (delete id crucible--dropped))))
          (t (crucible--show server id title text is-done error)))))

(provide 'crucible)
;;; crucible.el ends here
