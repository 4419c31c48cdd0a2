package umbral

// The domain separation tags of the scheme, all of them. Changing one makes another scheme.
const (
	tagCapsulePoints = "CAPSULE_POINTS"     // h_capsule
	tagSharedSecret  = "SHARED_SECRET"      // h_shared
	tagPolynomialArg = "POLYNOMIAL_ARG"     // h_poly
	tagCapsuleFrag   = "CFRAG_VERIFICATION" // h_proof

	// tagProofWeights is ours and stays inside this package: it is in no object and in no vector.
	tagProofWeights = "antiphon/cfrag-proof-weights/v1"

	tagParametersMessage = "POINT_U"    // message that hashes to U
	tagParametersDST     = "PARAMETERS" // its RFC 9380 domain separation tag
)
