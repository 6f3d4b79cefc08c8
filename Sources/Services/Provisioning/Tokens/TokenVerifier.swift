package import MeteringModel

/// What a verified token says.
package struct TokenClaims: Sendable, Hashable {
    package var customer: CustomerID
    package var issuer: String
    package var audience: [String]
    package var issuedAt: Timestamp
    package var notBefore: Timestamp
    package var expiresAt: Timestamp
    /// `jti`
    package var id: String
    /// The control plane's revision that the entitlements are of.
    package var revision: Int64
    /// `ent`: an object by feature.
    package var entitlements: JSONValue
}

/// Decides without asking anybody whether a token is ours and holds now.
///
/// ## Clock skew
/// Clocks of issuer and verifier may differ by the leeway, 60 s unless told otherwise. A token is
/// accepted from `nbf` − leeway until just before `exp` + leeway, and refused when `iat` lies more
/// than the leeway ahead.
package enum TokenVerifier {
    package static let leewaySeconds: Int64 = 60

    /// - Parameters:
    ///   - audience: who verifies. A token that names audiences is refused unless this is one of
    ///     them; with an audience here, a token that names none is refused too.
    ///   - issuer: nil takes any whose key is in the set.
    package static func verify(
        _ token: String, jwks: JWKSet, now: Timestamp, audience: String? = nil,
        issuer: String? = nil, leewaySeconds: Int64 = leewaySeconds
    ) throws(TokenError) -> TokenClaims {
        let parts = try CompactJWS(token)
        try checkSignature(of: parts, jwks)
        let claims = try read(CompactJWS.object(parts.payload, "payload"))
        let leeway = max(0, leewaySeconds)
        if now < claims.notBefore.adding(seconds: -leeway) {
            throw TokenError(.notYetValid, "valid from \(claims.notBefore.rfc3339()) on")
        }
        if claims.issuedAt.adding(seconds: -leeway) > now {
            throw TokenError(.notYetValid, "issued in the future; look at the clocks")
        }
        if now >= claims.expiresAt.adding(seconds: leeway) {
            throw TokenError(.expired, "expired at \(claims.expiresAt.rfc3339())")
        }
        if let issuer, issuer != claims.issuer {
            throw TokenError(.issuer, "issued by \(claims.issuer), not by \(issuer)")
        }
        if audience != nil || !claims.audience.isEmpty {
            guard let audience, claims.audience.contains(audience) else {
                throw TokenError(
                    .audience,
                    "made for \(claims.audience.isEmpty ? ["nobody"] : claims.audience)")
            }
        }
        return claims
    }

    private static func checkSignature(
        of token: CompactJWS, _ jwks: JWKSet
    ) throws(TokenError) {
        let header = token.header
        guard header["alg"]?.text == "EdDSA" else {
            throw TokenError(
                .algorithm, "the algorithm must be EdDSA, not \(header["alg"]?.digits ?? "absent")")
        }
        if header["crit"] != nil || header["b64"] != nil {
            throw TokenError(.algorithm, "the header has extensions that are not known here")
        }
        if let type = header["typ"], type.text != "JWT" {
            throw TokenError(.malformed, "typ must be JWT")
        }
        guard let kid = header["kid"]?.text else {
            throw TokenError(.unknownKey, "the header names no key (kid)")
        }
        guard jwks.contains(kid) else {
            throw TokenError(.unknownKey, "no key \(kid); fetch the key set again")
        }
        guard jwks.isSignature(token.signature, of: token.signingInput, kid: kid) else {
            throw TokenError(.signature, "the signature is not that of the content")
        }
    }

    private static func read(_ payload: JSONValue) throws(TokenError) -> TokenClaims {
        func instant(_ name: String) throws(TokenError) -> Timestamp {
            guard let seconds = payload[name]?.integer, (0...secondsMax).contains(seconds) else {
                throw TokenError(.claims, "\(name) must be whole seconds since 1970")
            }
            return Timestamp(seconds: seconds)
        }
        func text(_ name: String) throws(TokenError) -> String {
            guard let text = payload[name]?.text, !text.isEmpty else {
                throw TokenError(.claims, "\(name) must be a text")
            }
            return text
        }
        guard let revision = payload["rev"]?.integer else {
            throw TokenError(.claims, "rev must be a number")
        }
        guard let entitlements = payload["ent"], entitlements.object != nil else {
            throw TokenError(.claims, "ent must be an object")
        }
        return TokenClaims(
            customer: CustomerID(try text("sub")), issuer: try text("iss"),
            audience: try audiences(payload["aud"]), issuedAt: try instant("iat"),
            notBefore: try instant("nbf"), expiresAt: try instant("exp"), id: try text("jti"),
            revision: revision, entitlements: entitlements)
    }

    private static func audiences(_ value: JSONValue?) throws(TokenError) -> [String] {
        guard let value else { return [] }
        if let text = value.text { return [text] }
        let texts = value.elements?.compactMap(\.text) ?? []
        guard !texts.isEmpty, texts.count == value.elements?.count else {
            throw TokenError(.claims, "aud must be a text or a list of texts")
        }
        return texts
    }

    /// The year 9999: later ones are no instants here.
    private static let secondsMax: Int64 = 253_402_300_799
}
