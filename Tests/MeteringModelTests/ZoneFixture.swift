import Foundation
import MeteringModel

/// Real zone files of this machine; a missing one fails the test.
func zone(_ name: String) throws -> TimeZoneRules {
    if name == "UTC" { return .utc }
    let url = URL(fileURLWithPath: "/usr/share/zoneinfo/\(name)")
    let bytes = [UInt8](try Data(contentsOf: url))
    guard let rules = TimeZoneRules(name: name, tzif: bytes) else { throw Unreadable(name: name) }
    return rules
}

struct Unreadable: Error { var name: String }

/// Every zone of the installed database, links left out.
func zoneNames() throws -> [String] {
    let table = try String(contentsOfFile: "/usr/share/zoneinfo/tzdata.zi", encoding: .utf8)
    let names = table.split(separator: "\n").compactMap { line -> String? in
        let words = line.split(separator: " ")
        return words.first == "Z" ? words.dropFirst().first.map(String.init) : nil
    }
    return names.sorted()
}

func instant(_ text: String) throws -> Timestamp {
    guard let value = Timestamp(rfc3339: text) else { throw Unreadable(name: text) }
    return value
}

extension Period {
    /// `start/end` in local time, for tables.
    func text(_ zone: TimeZoneRules) -> String {
        let from = start.rfc3339(offsetSeconds: zone.offsetSeconds(at: start))
        let to = end.rfc3339(offsetSeconds: zone.offsetSeconds(at: end))
        return "\(from)/\(to)"
    }
}

/// A small seeded generator (SplitMix64), so that a failing case can be found again.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
