package resolver

// decryptedShape is the text of a fn::secret that is kept encrypted.
func (ev *evaluator) decryptedShape(e *expr) shape {
	if ev.mode == modeEvaluate {
		ev.report(e.env, e.call.arg.pos(), "encrypted secrets are not supported yet", "")
	}
	out := unknownAt(e.pos())
	out.value.Secret = true
	return out
}
