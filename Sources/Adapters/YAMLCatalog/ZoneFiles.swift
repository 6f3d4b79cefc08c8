package import Entitlements
import Foundation
package import MeteringModel
import Synchronization

/// Time zones from this machine's zone database (the `tzdata` package).
package enum ZoneFiles {
    /// Larger than any real zone file, by far.
    private static let fileBytesMax = 1 << 20
    private static let nameBytesMax = 64

    /// Successes only; bounded by the number of files in the database.
    private static let cache = Mutex<[String: TimeZoneRules]>([:])

    /// The rules of one IANA zone. Read once, then kept for the life of the process.
    ///
    /// The database lies in `$TZDIR`, or `/usr/share/zoneinfo` when that is not set. `UTC` needs
    /// no database.
    package static func load(_ name: String) throws(ZoneFileError) -> TimeZoneRules {
        if name == TimeZoneRules.utc.name { return .utc }
        if let known = cache.withLock({ $0[name] }) { return known }
        guard isPlausible(name) else { throw ZoneFileError(code: .invalidName, zone: name) }
        let folder = ProcessInfo.processInfo.environment["TZDIR"] ?? "/usr/share/zoneinfo"
        guard let bytes = contents(of: folder + "/" + name) else {
            let isMissing = !FileManager.default.fileExists(atPath: folder)
            throw ZoneFileError(code: isMissing ? .noDatabase : .unknownZone, zone: name)
        }
        guard let rules = TimeZoneRules(name: name, tzif: bytes) else {
            throw ZoneFileError(code: .unreadable, zone: name)
        }
        cache.withLock { $0[name] = rules }
        return rules
    }

    /// Only the letters that zone names use, and no way out of the folder.
    private static func isPlausible(_ name: String) -> Bool {
        guard (1...nameBytesMax).contains(name.utf8.count) else { return false }
        let parts = name.utf8.split(separator: 0x2F, omittingEmptySubsequences: false)
        return parts.allSatisfy { part in
            !part.isEmpty
                && part.allSatisfy { byte in
                    switch byte {
                    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2D, 0x5F: true
                    default: false
                    }
                }
        }
    }

    private static func contents(of path: String) -> [UInt8]? {
        guard let handle = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? handle.close() }
        guard let data = try? handle.read(upToCount: fileBytesMax), !data.isEmpty else {
            return nil
        }
        return [UInt8](data)
    }
}

/// Why a time zone cannot be used.
package struct ZoneFileError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable, Hashable { case invalidName, unknownZone, noDatabase, unreadable }
    package var code: Code
    package var zone: String

    package init(code: Code, zone: String) {
        self.code = code
        self.zone = zone
    }

    package var description: String {
        switch code {
        case .invalidName: "\"\(zone)\" is not the name of a time zone"
        case .unknownZone:
            "\"\(zone)\" is not an IANA zone known here; if it should be, install tzdata"
        case .noDatabase: "this machine has no time zone database; install tzdata"
        case .unreadable: "the zone file of \"\(zone)\" is damaged; install tzdata again"
        }
    }
}

extension ZoneFiles {
    /// Zones as the codec of records looks them up.
    package static func find(_ name: String) throws(CodecContext.ZoneProblem) -> TimeZoneRules {
        do {
            return try load(name)
        } catch {
            throw CodecContext.ZoneProblem(error.description)
        }
    }
}
