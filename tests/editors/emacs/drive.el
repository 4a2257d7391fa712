;;; drive.el --- does in a batch Emacs what a person does -*- lexical-binding: t -*-
;; $CRUCIBLE_EL is loaded as the person's init.el would be; then $CRUCIBLE_FILE is opened, eglot is
;; connected, and each form of $CRUCIBLE_KEYS is evaluated there.  The values and the buffer are
;; written to stdout as JSON.
(package-initialize)
(load (getenv "CRUCIBLE_EL") nil t)
(require 'eglot)
(require 'json)
(setq eglot-sync-connect 10
      eglot-connect-timeout 10
      indent-tabs-mode nil
      completion-fail-discreetly t) ; else it waits for a key, which never comes

(defun complete ()
  "C-M-i: non-nil where there was something."
  (and (completion-at-point) t))

(defun complete-within (seconds)
  "C-M-i again and again, as an impatient person does; the number of times, nil for never."
  (let ((end (+ (float-time) seconds)) (before (buffer-string)) (n 0) done)
    (while (and (not done) (< (float-time) end))
      (setq n (1+ n))
      (complete)
      (setq done (not (equal before (buffer-string))))
      (unless done (accept-process-output nil 0.1)))
    (and done n)))

(defun wait-for (condition &optional seconds)
  "Let Emacs work until CONDITION holds; what it gives, nil for never."
  (let ((end (+ (float-time) (or seconds 15))) value)
    (while (and (not (setq value (funcall condition))) (< (float-time) end))
      (accept-process-output nil 0.02))
    value))

(defun text-of (name)
  "The text of the buffer NAME, \"\" where there is none."
  (if (get-buffer name)
      (with-current-buffer name (buffer-substring-no-properties (point-min) (point-max)))
    ""))

(defun candidates ()
  "What the popup would list."
  (let ((table (eglot-completion-at-point)))
    (mapcar #'substring-no-properties
            (all-completions (buffer-substring (nth 0 table) (nth 1 table)) (nth 2 table)))))

(find-file (getenv "CRUCIBLE_FILE"))
(let (values)
  (apply #'eglot--connect (eglot--guess-contact))
  (dolist (form (read (getenv "CRUCIBLE_KEYS")))
    (push (eval form t) values))
  (princ (concat "RESULT "
                 (json-encode `((managed . ,(if (eglot-managed-p) t :json-false))
                                (values . ,(vconcat (nreverse values)))
                                (text . ,(buffer-substring-no-properties (point-min) (point-max)))))
                 "\n"))
  (set-buffer-modified-p nil)
  (eglot-shutdown (eglot-current-server)))
;;; drive.el ends here
