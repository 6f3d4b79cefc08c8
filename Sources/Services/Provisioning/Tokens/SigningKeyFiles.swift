import Foundation
import MeteringModel
import MeteringPorts

/// The directory of key files: `<kid>.json` holds a private key, readable by its owner only;
/// `<kid>.public.json` the public half of one that is gone.
struct SigningKeyFiles: Sendable {
    private static let privateSuffix = ".json"
    private static let publicSuffix = ".public.json"

    let directory: String

    /// Oldest first. Makes the directory where it is missing.
    func read() throws(ControlProblem) -> [SigningKey] {
        try makeDirectory()
        var keys: [SigningKey] = []
        for name in try names() where !name.hasSuffix(Self.publicSuffix) {
            let document = try document(name)
            guard let text = document["private"]?.text, let raw = Base64URLText.decode(text.utf8),
                let created = document["created_at"]?.text.flatMap({ Timestamp(rfc3339: $0) }),
                let key = SigningKey(raw: raw, createdAt: created),
                document["kid"]?.text == key.kid, name == key.kid + Self.privateSuffix
            else { throw problem("\(name) is no signing key; restore it from a backup") }
            keys.append(key)
        }
        return keys.sorted { ($0.createdAt, $0.kid) < ($1.createdAt, $1.kid) }
    }

    func readArchive() throws(ControlProblem) -> JWKSet {
        var set = JWKSet()
        for name in try names() where name.hasSuffix(Self.publicSuffix) {
            let document = try document(name)
            guard let kid = document["kid"]?.text, let text = document["public"]?.text,
                let raw = Base64URLText.decode(text.utf8), JWKSet.kid(of: raw) == kid,
                set.insert(kid, raw)
            else { throw problem("\(name) is no public key; remove it, or restore it") }
        }
        return set
    }

    func write(_ key: SigningKey) throws(ControlProblem) {
        try write(
            .object([
                "kid": .string(key.kid), "created_at": .string(key.createdAt.rfc3339()),
                "private": .string(Base64URLText.encode(key.privateBytes)),
            ]), to: key.kid + Self.privateSuffix)
    }

    /// Keeps the public half and removes the private one; in that order, so that a crash in between
    /// loses nothing.
    func archive(_ key: SigningKey) throws(ControlProblem) {
        let name = key.kid + Self.publicSuffix
        if !FileManager.default.fileExists(atPath: path(name)) {
            try write(
                .object([
                    "kid": .string(key.kid), "created_at": .string(key.createdAt.rfc3339()),
                    "public": .string(Base64URLText.encode(key.publicKey)),
                ]), to: name)
        }
        do {
            try FileManager.default.removeItem(atPath: path(key.kid + Self.privateSuffix))
        } catch {
            throw problem("the retired key \(key.kid) cannot be removed: \(error)")
        }
    }

    // MARK: files

    private func path(_ name: String) -> String { directory + "/" + name }

    private func problem(_ what: String) -> ControlProblem {
        ControlProblem(
            .unavailable, "signing_keys_unavailable", "signing keys in \(directory): \(what)")
    }

    private func makeDirectory() throws(ControlProblem) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw problem("the directory cannot be made: \(error)")
        }
    }

    /// Drafts that a crash left behind are not among them.
    private func names() throws(ControlProblem) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: directory)
                .filter { $0.hasSuffix(Self.privateSuffix) }.sorted()
        } catch {
            throw problem("the directory cannot be read: \(error)")
        }
    }

    private func document(_ name: String) throws(ControlProblem) -> JSONValue {
        guard let data = FileManager.default.contents(atPath: path(name)) else {
            throw problem("\(name) cannot be read")
        }
        do throws(JSONSyntaxError) {
            return try JSONParser.parse(Array(data))
        } catch {
            throw problem("\(name) is \(error)")
        }
    }

    /// Written beside and moved in, so that a crash leaves no half of it; on the disk before
    /// anything is signed with it.
    private func write(_ document: JSONValue, to name: String) throws(ControlProblem) {
        let draft = path(name) + ".new"
        let manager = FileManager.default
        try? manager.removeItem(atPath: draft)
        // Empty first: the mode is set before there is anything to read.
        guard
            manager.createFile(
                atPath: draft, contents: nil, attributes: [.posixPermissions: 0o600]),
            let handle = FileHandle(forWritingAtPath: draft)
        else { throw problem("\(name) cannot be written") }
        do {
            try handle.write(contentsOf: Data(document.canonicalBytes + [UInt8(ascii: "\n")]))
            try handle.synchronize()
            try handle.close()
            try manager.moveItem(atPath: draft, toPath: path(name))
            // The name too.
            if let entry = FileHandle(forReadingAtPath: directory) {
                try entry.synchronize()
                try entry.close()
            }
        } catch {
            throw problem("\(name) cannot be written: \(error)")
        }
    }
}
