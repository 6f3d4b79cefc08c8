import Crypto
package import MeteringModel
package import MeteringPorts
import Synchronization

/// The installation's Ed25519 keys: one that signs, and those before it that still verify.
///
/// Rotation overlaps: a new key signs from now on; the old one stays in the key set until nothing
/// that it signed can be valid any more, and then only its public half is kept, for signed heads of
/// the audit log. A key's retirement is the making of the next, so key files are never rewritten.
package final class SigningKeys: Sendable {
    /// How long a key verifies after its retirement: the longest token, and clocks that differ.
    package static let overlapSeconds =
        TokenIssuer.timeToLiveSecondsRange.upperBound + TokenVerifier.leewaySeconds

    private struct Ring {
        /// Oldest first; the last one signs.
        var keys: [SigningKey]
        var archive: JWKSet
    }

    private let files: SigningKeyFiles
    private let clock: WallClock
    private let ring: Mutex<Ring>

    /// Reads the keys of a directory, and makes the first one when there is none.
    /// - Throws: `signing_keys_unavailable` when the directory cannot be used, or a file in it is
    ///   no key.
    package init(directory: String, clock: WallClock) throws(ControlProblem) {
        files = SigningKeyFiles(directory: directory)
        self.clock = clock
        var keys = try files.read()
        if keys.isEmpty {
            let first = SigningKey(createdAt: clock.now())
            try files.write(first)
            keys = [first]
        }
        let kept = try Self.withoutExpired(keys, files, now: clock.now())
        ring = Mutex(Ring(keys: kept, archive: try files.readArchive()))
    }

    /// The key that signs. A ring is never empty.
    var current: SigningKey { ring.withLock { $0.keys[$0.keys.endIndex - 1] } }

    /// The id of the key that signs.
    package var currentID: String { current.kid }

    /// `POST /v1/signing-keys/rotate`.
    /// - Returns: the new key's id.
    package func rotate() throws(ControlProblem) -> String {
        try ring.withLock { ring throws(ControlProblem) in
            let now = clock.now()
            // A clock that was set back must not make the new key the older one.
            let last = ring.keys[ring.keys.endIndex - 1].createdAt
            let made = SigningKey(createdAt: max(now, last.adding(seconds: 1)))
            try files.write(made)
            ring.keys = try Self.withoutExpired(ring.keys + [made], files, now: now)
            ring.archive = try files.readArchive()
            return made.kid
        }
    }

    /// `GET /.well-known/jwks.json`: the key that signs first.
    package func jwks() -> JSONValue {
        let keys = Self.verifying(ring.withLock { $0.keys }, now: clock.now())
        return .object([
            "keys": .array(
                keys.reversed().map { JWKSet.entry(kid: $0.kid, publicKey: $0.publicKey) })
        ])
    }

    /// The same keys, for verifying here.
    package func keySet() -> JWKSet {
        var set = JWKSet()
        for key in Self.verifying(ring.withLock { $0.keys }, now: clock.now()) {
            _ = set.insert(key.kid, key.publicKey)
        }
        return set
    }

    /// All keys that ever signed, for heads of the audit log that were signed long ago.
    package func archivedKeySet() -> JWKSet {
        let (keys, archive) = ring.withLock { ($0.keys, $0.archive) }
        var set = archive
        for key in keys { _ = set.insert(key.kid, key.publicKey) }
        return set
    }

    // MARK: retirement

    private static func verifying(_ keys: [SigningKey], now: Timestamp) -> [SigningKey] {
        keys.enumerated().filter { index, _ in
            guard index + 1 < keys.count else { return true }
            return now < keys[index + 1].createdAt.adding(seconds: overlapSeconds)
        }.map(\.element)
    }

    /// Removes the private halves that are not needed any more.
    private static func withoutExpired(
        _ keys: [SigningKey], _ files: SigningKeyFiles, now: Timestamp
    ) throws(ControlProblem) -> [SigningKey] {
        let kept = verifying(keys, now: now)
        for key in keys where !kept.contains(where: { $0.kid == key.kid }) {
            try files.archive(key)
        }
        return kept
    }
}

/// A key pair.
struct SigningKey: Sendable {
    let kid: String
    let createdAt: Timestamp
    let publicKey: [UInt8]
    private let key: Curve25519.Signing.PrivateKey

    /// A new one.
    init(createdAt: Timestamp) {
        self.init(Curve25519.Signing.PrivateKey(), createdAt: createdAt)
    }

    /// Nil when the bytes are no key.
    init?(raw: [UInt8], createdAt: Timestamp) {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: raw) else {
            return nil
        }
        self.init(key, createdAt: createdAt)
    }

    private init(_ key: Curve25519.Signing.PrivateKey, createdAt: Timestamp) {
        self.key = key
        // Whole seconds, as the file has it.
        self.createdAt = Timestamp(seconds: createdAt.seconds)
        publicKey = Array(key.publicKey.rawRepresentation)
        kid = JWKSet.kid(of: publicKey)
    }

    var privateBytes: [UInt8] { Array(key.rawRepresentation) }

    func sign(_ bytes: [UInt8]) throws(ControlProblem) -> [UInt8] {
        do {
            return Array(try key.signature(for: bytes))
        } catch {
            throw ControlProblem(
                .unavailable, "signing_failed", "the signing key \(kid) refused: \(error)")
        }
    }
}
