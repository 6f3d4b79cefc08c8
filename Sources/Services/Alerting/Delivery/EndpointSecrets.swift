import Foundation
package import MeteringModel
package import MeteringPorts

/// The signing secrets of endpoints: made, kept encrypted, used.
package struct EndpointSecrets: Sendable {
    private static let prefix = "whsec_"
    private static let byteCount = 32

    private let store: any AlertStore
    private let vault: any AlertVault

    package init(store: any AlertStore, vault: any AlertVault) {
        self.store = store
        self.vault = vault
    }

    /// Makes a secret the newest.
    /// - Returns: the secret as the endpoint's owner needs it; kept nowhere in the clear.
    package func make(
        _ endpoint: String, at now: Timestamp, oldSecretSeconds: Int64
    ) throws(ControlProblem) -> String {
        let bytes = vault.randomBytes(Self.byteCount)
        guard let sealed = vault.seal(bytes, context: Self.context(endpoint)) else {
            throw ControlProblem(
                .unavailable, "unavailable", "the secret could not be encrypted; try again")
        }
        try asking { () throws(LedgerError) in
            try store.addSecret(
                endpoint, SealedSecret(sealed: sealed, createdAt: now),
                othersUntil: now.adding(seconds: oldSecretSeconds))
        }
        return Self.prefix + Data(bytes).base64EncodedString()
    }

    package func exists(_ endpoint: String) throws(LedgerError) -> Bool {
        try !store.secrets(of: endpoint).isEmpty
    }

    /// The value of `webhook-signature`: one signature a secret that is valid, the newest first.
    /// Nil when there is none that can be opened.
    package func signatures(
        _ endpoint: String, id: String, timestamp: Int64, body: [UInt8], at now: Timestamp
    ) throws(LedgerError) -> String? {
        let content = Array("\(id).\(timestamp).".utf8) + body
        var signatures: [String] = []
        for secret in try store.secrets(of: endpoint) {
            if let expiry = secret.expiresAt, expiry <= now { continue }
            guard let key = vault.open(secret.sealed, context: Self.context(endpoint)) else {
                continue
            }
            signatures.append(Self.signature(content, key, vault))
        }
        return signatures.isEmpty ? nil : signatures.joined(separator: " ")
    }

    static func signature(
        _ content: [UInt8], _ key: [UInt8], _ vault: any AlertVault
    ) -> String {
        "v1," + Data(vault.authenticationCode(key: key, content)).base64EncodedString()
    }

    /// Hides an address that is itself a secret.
    /// - Returns: what it is kept under; the same for the same address.
    package func hide(_ url: String) throws(ControlProblem) -> String {
        let digits = vault.fingerprint(Array(url.utf8)).prefix(16)
            .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let reference = "addr_" + digits
        guard let sealed = vault.seal(Array(url.utf8), context: reference) else {
            throw ControlProblem(
                .unavailable, "unavailable", "the address could not be encrypted; try again")
        }
        try asking { () throws(LedgerError) in try store.putSealedAddress(reference, sealed) }
        return reference
    }

    /// Nil when it is not there, or cannot be opened.
    func address(_ reference: String) throws(LedgerError) -> String? {
        try store.sealedAddress(reference)
            .flatMap { vault.open($0, context: reference) }
            .map { String(decoding: $0, as: UTF8.self) }
    }

    private static func context(_ endpoint: String) -> String { "secret:" + endpoint }
}
