import Foundation
import MeteringModel
import Testing

@Suite struct TimeZoneRulesTests {
    /// The C library reads the same files with other code: every zone, at instants from 1800 to
    /// 2500, near its changes and between them.
    @Test func agreesWithTheCLibraryInEveryZone() throws {
        var random = SeededGenerator(state: 11)
        let names = try zoneNames()
        #expect(names.count > 300)
        let saved = ProcessInfo.processInfo.environment["TZ"]
        defer {
            // SAFETY: C strings that live for the call; no other test reads the environment.
            if let saved { unsafe setenv("TZ", saved, 1) } else { unsafe unsetenv("TZ") }
            tzset()
        }
        for name in names {
            let rules = try zone(name)
            // SAFETY: as above.
            unsafe setenv("TZ", ":\(name)", 1)
            tzset()
            for _ in 0..<300 {
                let second = Int64.random(in: -5_364_662_400...16_725_225_600, using: &random)
                var time = time_t(second)
                var parts = unsafe tm()
                // SAFETY: both are locals; the zone name that `parts` points to is not read.
                unsafe localtime_r(&time, &parts)
                let theirs = unsafe parts.tm_gmtoff
                let ours = rules.offsetSeconds(at: Timestamp(seconds: second))
                #expect(ours == theirs, "\(name) at \(second)")
            }
        }
    }

    @Test(arguments: [
        // Gap: 02:30 does not exist; the first instant after it is 03:00.
        ("Europe/Berlin", 2026, 3, 29, 2, 30, "2026-03-29T01:00:00Z"),
        // Overlap: 02:30 happens twice; the earlier.
        ("Europe/Berlin", 2026, 10, 25, 2, 30, "2026-10-25T00:30:00Z"),
        ("Europe/Berlin", 2150, 7, 1, 0, 0, "2150-06-30T22:00:00Z"),
        ("Europe/Berlin", 9999, 7, 1, 0, 0, "9999-06-30T22:00:00Z"),
        ("America/New_York", 2026, 3, 8, 2, 0, "2026-03-08T07:00:00Z"),
        ("America/New_York", 2026, 11, 1, 1, 59, "2026-11-01T05:59:00Z"),
        ("Asia/Kathmandu", 2026, 1, 1, 0, 0, "2025-12-31T18:15:00Z"),
        ("Australia/Lord_Howe", 2026, 10, 4, 2, 15, "2026-10-03T15:30:00Z"),
        ("Australia/Lord_Howe", 2026, 4, 5, 1, 45, "2026-04-04T14:45:00Z"),
        ("Pacific/Apia", 2011, 12, 30, 12, 0, "2011-12-30T10:00:00Z"),
        ("America/Sao_Paulo", 2018, 11, 4, 0, 0, "2018-11-04T03:00:00Z"),
        ("Pacific/Chatham", 2026, 4, 5, 3, 0, "2026-04-04T13:15:00Z"),
        ("Asia/Kolkata", 2026, 1, 1, 0, 0, "2025-12-31T18:30:00Z"),
        ("Europe/Dublin", 2040, 1, 1, 0, 0, "2040-01-01T00:00:00Z"),
        ("Europe/Dublin", 2040, 7, 1, 0, 0, "2040-06-30T23:00:00Z"),
        ("UTC", 2026, 1, 1, 0, 0, "2026-01-01T00:00:00Z"),
    ])
    func civilTimesBecomeInstants(
        name: String, year: Int, month: Int, day: Int, hour: Int, minute: Int, expected: String
    ) throws {
        let date = CivilDate(year: year, month: month, day: day)
        let found = try zone(name).instant(date, hour: hour, minute: minute)
        #expect(found.rfc3339() == expected)
    }

    /// A file made by hand, so that rules which no current zone uses are read too.
    private func file(footer: String, offset: Int32 = 0) -> [UInt8] {
        func header() -> [UInt8] {
            // Six counts: only one type and four characters.
            Array("TZif3".utf8) + [UInt8](repeating: 0, count: 15 + 16) + [0, 0, 0, 1, 0, 0, 0, 4]
        }
        let block = withBigEndian(offset) + [0, 0] + Array("LMT\0".utf8)
        return header() + block + header() + block + [0x0A] + Array(footer.utf8) + [0x0A]
    }

    private func withBigEndian(_ value: Int32) -> [UInt8] {
        let word = UInt32(bitPattern: value)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
    }

    @Test(arguments: [
        ("<+03>-3", "2026-07-01T00:00:00Z", 10_800),
        ("<-0330>+3:30", "2026-07-01T00:00:00Z", -12_600),
        ("XYZ-1:02:03", "2026-07-01T00:00:00Z", 3_723),
        ("EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59:59Z", -18_000),
        ("EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00Z", -14_400),
        ("EST5EDT,M3.2.0,M11.1.0", "1926-07-01T00:00:00Z", -14_400),
        ("EST5EDT,M3.2.0,M11.1.0", "0003-07-01T00:00:00Z", -14_400),
        ("EST5EDT,M3.2.0,M11.1.0", "9998-07-01T00:00:00Z", -14_400),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", 3_600),
        // Day 60 without 29 February is 1 March in every year.
        ("AAA0BBB,J60/0,J300", "2024-02-29T23:59:59Z", 0),
        ("AAA0BBB,J60/0,J300", "2024-03-01T00:00:00Z", 3_600),
        ("AAA0BBB,J60/0,J300", "2025-03-01T00:00:00Z", 3_600),
        // Index 59 is 29 February in leap years, 1 March in others.
        ("AAA0BBB,59/0,300", "2024-02-29T00:00:00Z", 3_600),
        ("AAA0BBB,59/0,300", "2025-02-28T23:59:59Z", 0),
        // Daylight saving all year: the changes meet at the same instant.
        ("EST5EDT,0/0,J365/25", "2026-01-01T05:00:00Z", -14_400),
        ("EST5EDT,0/0,J365/25", "2026-07-01T00:00:00Z", -14_400),
        // Times before midnight and beyond a day.
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -7_200),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -3_600),
        ("IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-26T23:59:59Z", 7_200),
        ("IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00:00Z", 10_800),
    ])
    func readsFooterRules(footer: String, at: String, offset: Int) throws {
        let rules = try #require(TimeZoneRules(name: "test", tzif: file(footer: footer)))
        #expect(rules.offsetSeconds(at: try instant(at)) == offset)
    }

    @Test(arguments: [
        "AB3", "<+03", "<>3", "EST", "EST25", "EST5EDT", "EST5EDT,M3.2.0",
        "EST5EDT,M13.2.0,M11.1.0",
        "EST5EDT,M3.6.0,M11.1.0", "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,J0,J300", "EST5EDT,0,366",
        "EST5EDT,M3.2.0/168,M11.1.0", "EST5EDT,M3.2.0,M11.1.0,", "EST5:60", "5",
    ])
    func refusesBadFooters(footer: String) {
        #expect(TimeZoneRules(name: "test", tzif: file(footer: footer)) == nil)
    }

    @Test func survivesEveryTruncationAndAnyFlippedByte() throws {
        let url = URL(fileURLWithPath: "/usr/share/zoneinfo/Australia/Lord_Howe")
        let whole = [UInt8](try Data(contentsOf: url))
        for count in 0..<whole.count {
            #expect(TimeZoneRules(name: "cut", tzif: Array(whole.prefix(count))) == nil)
        }
        var random = SeededGenerator(state: 5)
        for _ in 0..<3_000 {
            var bytes = whole
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                in: 0...255, using: &random)
            guard let rules = TimeZoneRules(name: "bent", tzif: bytes) else { continue }
            let second = Int64.random(in: -4_000_000_000...8_000_000_000, using: &random)
            let offset = rules.offsetSeconds(at: Timestamp(seconds: second))
            #expect(abs(offset) < 26 * 3_600)
        }
    }

    @Test func keepsToTheCalendarAtTheEndsOfTime() throws {
        let berlin = try zone("Europe/Berlin")
        _ = berlin.offsetSeconds(at: Timestamp(microseconds: .min))
        _ = berlin.offsetSeconds(at: Timestamp(microseconds: .max))
        #expect(berlin.instant(CivilDate(year: 1_000_000, month: 1, day: 1)) > .distantPast)
        #expect(berlin.civilDate(at: Timestamp(microseconds: .max)).year <= 10_000)
    }
}
