import Crypto
import Foundation
import MeteringPorts

/// Keys that secrets at rest are encrypted with, in files beside the stores and not in them: a copy
/// of `alerts.db` alone opens nothing.
///
/// Each file, `<number>-<id>.key`, holds 64 hex digits and is readable by its owner only. The one
/// with the highest number seals; the others still open what they sealed. To rotate, ``rotate()`` or
/// put another file there and start anew.
package final class AlertKeyFiles: AlertVault {
    private struct Key: Sendable {
        var number: Int
        /// 8 bytes, as in the name.
        var id: [UInt8]
        var key: SymmetricKey
    }

    private static let suffix = ".key"
    private static let idBytes = 8
    private static let keyBytes = 32
    /// First byte of what is sealed: the form of the rest.
    private static let form: UInt8 = 1

    private let keys: [Key]
    private let current: Key
    private let oldest: Key

    /// Reads the keys, and makes the directory with a first one where there is none.
    /// - Throws: `KeyFileError` when a file cannot be read, or is no key.
    package init(directory: String) throws(KeyFileError) {
        try Self.makeDirectory(directory)
        var keys = try Self.read(directory)
        if keys.isEmpty { keys = [try Self.add(to: directory, number: 1)] }
        keys.sort { $0.number < $1.number }
        guard let oldest = keys.first, let current = keys.last else {
            throw KeyFileError("\(directory) has no key")
        }
        self.keys = keys
        self.oldest = oldest
        self.current = current
    }

    /// Adds a key that seals from the next start on.
    package static func rotate(directory: String) throws(KeyFileError) {
        let last = try read(directory).map(\.number).max() ?? 0
        _ = try add(to: directory, number: last + 1)
    }

    // MARK: AlertVault

    package func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    package func authenticationCode(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key)))
    }

    /// Under the oldest key, so that rotation changes no name.
    package func fingerprint(_ text: [UInt8]) -> [UInt8] {
        Array(
            HMAC<SHA256>.authenticationCode(
                for: Array("fingerprint:".utf8) + text, using: oldest.key))
    }

    package func seal(_ plain: [UInt8], context: String) -> [UInt8]? {
        let box = try? AES.GCM.seal(
            plain, using: current.key, authenticating: Array(context.utf8))
        guard let combined = box?.combined else { return nil }
        return [Self.form] + current.id + combined
    }

    package func open(_ sealed: [UInt8], context: String) -> [UInt8]? {
        guard sealed.first == Self.form else { return nil }
        let id = sealed.dropFirst().prefix(Self.idBytes)
        guard let key = keys.first(where: { $0.id.elementsEqual(id) }),
            let box = try? AES.GCM.SealedBox(combined: sealed.dropFirst(1 + Self.idBytes)),
            let plain = try? AES.GCM.open(
                box, using: key.key, authenticating: Array(context.utf8))
        else { return nil }
        return Array(plain)
    }

    // MARK: files

    private static func makeDirectory(_ directory: String) throws(KeyFileError) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw KeyFileError("\(directory) cannot be made: \(error.localizedDescription)")
        }
    }

    private static func read(_ directory: String) throws(KeyFileError) -> [Key] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: directory)
        } catch {
            throw KeyFileError("\(directory) cannot be read: \(error.localizedDescription)")
        }
        var keys: [Key] = []
        // Drafts that a crash left behind have another ending.
        for name in names.sorted() where name.hasSuffix(suffix) {
            let path = directory + "/" + name
            let parts = name.dropLast(suffix.count).split(separator: "-")
            guard parts.count == 2, let number = Int(parts[0]),
                let id = bytes(String(parts[1])), id.count == idBytes
            else {
                throw KeyFileError("\(path): a key file is named <number>-<16 hex digits>.key")
            }
            guard let text = try? String(contentsOfFile: path, encoding: .utf8),
                let key = bytes(text.filter { !$0.isWhitespace }), key.count == keyBytes
            else {
                throw KeyFileError(
                    "\(path) does not hold \(keyBytes * 2) hex digits; restore it from a backup")
            }
            keys.append(Key(number: number, id: id, key: SymmetricKey(data: key)))
        }
        return keys
    }

    /// Written beside and moved in, on the disk before anything is sealed with it.
    private static func add(to directory: String, number: Int) throws(KeyFileError) -> Key {
        var generator = SystemRandomNumberGenerator()
        func random(_ count: Int) -> [UInt8] {
            (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        }
        let secret = random(keyBytes)
        let key = Key(number: number, id: random(idBytes), key: SymmetricKey(data: secret))
        let path = "\(directory)/\(number)-\(hex(key.id))\(suffix)"
        let text = hex(secret) + "\n"
        let draft = path + ".new"
        let manager = FileManager.default
        try? manager.removeItem(atPath: draft)
        do {
            // Empty first: the mode is set before there is anything to read.
            guard
                manager.createFile(
                    atPath: draft, contents: nil, attributes: [.posixPermissions: 0o600]),
                let handle = FileHandle(forWritingAtPath: draft)
            else { throw KeyFileError("\(path) cannot be written") }
            try handle.write(contentsOf: Data(text.utf8))
            try handle.synchronize()
            try handle.close()
            try manager.moveItem(atPath: draft, toPath: path)
        } catch {
            throw KeyFileError("\(path) cannot be written: \(error)")
        }
        return key
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(_ text: String) -> [UInt8]? {
        guard text.utf8.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        var rest = text[...]
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}

/// What is wrong with the key files, for people.
package struct KeyFileError: Error, Sendable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}
