package import MeteringModel
package import MeteringPorts

/// Signs the head of the audit log. Kept outside, a signed head shows a log that was cut off or
/// rewritten, which the chain by itself cannot.
package struct AuditSigner: Sendable {
    private let keys: SigningKeys

    package init(keys: SigningKeys) { self.keys = keys }

    /// `GET /v1/audit/head`: the store's head as it is now, signed.
    package func head(
        of store: any ControlStore, at: Timestamp
    ) throws(ControlProblem) -> ControlAnswer {
        let rows: [AuditRow]
        do throws(ControlStoreError) {
            rows = try store.changes(AuditFilter(), after: store.revision - 1, limit: 1)
        } catch {
            throw ControlProblem(
                .unavailable, "unavailable",
                "the control plane's store cannot be read now: \(error.message)")
        }
        // An empty log has the hash that the first row will follow.
        let hash = rows.first?.hash ?? [UInt8](repeating: 0, count: 32)
        return ControlAnswer(
            body: try sign(sequence: rows.first?.change.sequence ?? 0, hash: hash, at: at))
    }

    /// - Parameters:
    ///   - sequence: of the last change; 0 in an empty log.
    ///   - hash: its 32 bytes.
    ///   - at: when the head was read.
    /// - Returns: `{seq, hash, at, kid, signature}`; the signature, base64url, is over the canonical
    ///   JSON of the others.
    package func sign(
        sequence: Int64, hash: [UInt8], at: Timestamp
    ) throws(ControlProblem) -> JSONValue {
        let signer = keys.current
        var head: [String: JSONValue] = [
            "seq": .integer(sequence), "hash": .string(Self.hex(hash)),
            "at": .string(at.rfc3339()), "kid": .string(signer.kid),
        ]
        let signature = try signer.sign(JSONValue.object(head).canonicalBytes)
        head["signature"] = .string(Base64URLText.encode(signature))
        return .object(head)
    }

    /// Whether a signed head is one that a key of the set signed.
    package static func isValid(_ head: JSONValue, keys: JWKSet) -> Bool {
        guard let sequence = head["seq"]?.integer, let hash = head["hash"]?.text,
            let at = head["at"]?.text, let kid = head["kid"]?.text,
            let text = head["signature"]?.text, let signature = Base64URLText.decode(text.utf8)
        else { return false }
        let signed = JSONValue.object([
            "seq": .integer(sequence), "hash": .string(hash), "at": .string(at),
            "kid": .string(kid),
        ])
        return keys.isSignature(signature, of: signed.canonicalBytes, kid: kid)
    }

    /// The same, with a key set as it was fetched; false also when that is none.
    package static func isSigned(_ head: JSONValue, jwks: JSONValue) -> Bool {
        JWKSet(document: jwks).map { isValid(head, keys: $0) } ?? false
    }

    /// Lower case, two digits a byte: how hashes are written in answers.
    package static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
