import MeteringModel
import Testing

@Suite struct PeriodTests {
    @Test(arguments: [
        (
            "Europe/Berlin", PeriodUnit.month, "2026-11-21T10:00:00Z",
            "2026-11-01T00:00:00+01:00/2026-12-01T00:00:00+01:00"
        ),
        (
            "Europe/Berlin", .month, "2026-10-31T22:59:59Z",
            "2026-10-01T00:00:00+02:00/2026-11-01T00:00:00+01:00"
        ),
        (
            "Europe/Berlin", .day, "2026-03-29T10:00:00Z",
            "2026-03-29T00:00:00+01:00/2026-03-30T00:00:00+02:00"
        ),
        (
            "Europe/Berlin", .day, "2026-10-25T10:00:00Z",
            "2026-10-25T00:00:00+02:00/2026-10-26T00:00:00+01:00"
        ),
        (
            "Europe/Berlin", .hour, "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00+01:00/2026-10-25T03:00:00+01:00"
        ),
        (
            "Europe/Berlin", .hour, "2026-10-25T00:30:00Z",
            "2026-10-25T02:00:00+02:00/2026-10-25T02:00:00+01:00"
        ),
        (
            "Europe/Berlin", .week, "2026-03-29T21:59:59Z",
            "2026-03-23T00:00:00+01:00/2026-03-30T00:00:00+02:00"
        ),
        (
            "America/New_York", .week, "2026-01-01T00:00:00Z",
            "2025-12-29T00:00:00-05:00/2026-01-05T00:00:00-05:00"
        ),
        (
            "America/New_York", .day, "2026-11-01T12:00:00Z",
            "2026-11-01T00:00:00-04:00/2026-11-02T00:00:00-05:00"
        ),
        (
            "Asia/Kathmandu", .hour, "2026-01-01T00:00:00Z",
            "2026-01-01T05:00:00+05:45/2026-01-01T06:00:00+05:45"
        ),
        (
            "Asia/Kathmandu", .year, "2026-06-01T00:00:00Z",
            "2026-01-01T00:00:00+05:45/2027-01-01T00:00:00+05:45"
        ),
        (
            "Asia/Kolkata", .hour, "2026-01-01T00:00:00Z",
            "2026-01-01T05:00:00+05:30/2026-01-01T06:00:00+05:30"
        ),
        (
            "Pacific/Chatham", .day, "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00+13:45/2026-01-02T00:00:00+13:45"
        ),
        // The half-hour change: one hour lasts 90 minutes.
        (
            "Australia/Lord_Howe", .hour, "2026-10-03T15:15:00Z",
            "2026-10-04T01:00:00+10:30/2026-10-04T03:00:00+11:00"
        ),
        (
            "Australia/Lord_Howe", .hour, "2026-10-03T15:45:00Z",
            "2026-10-04T01:00:00+10:30/2026-10-04T03:00:00+11:00"
        ),
        (
            "Australia/Lord_Howe", .day, "2026-10-03T20:00:00Z",
            "2026-10-04T00:00:00+10:30/2026-10-05T00:00:00+11:00"
        ),
        // Samoa had no 30 December 2011.
        (
            "Pacific/Apia", .day, "2011-12-30T09:59:59Z",
            "2011-12-29T00:00:00-10:00/2011-12-31T00:00:00+14:00"
        ),
        (
            "Pacific/Apia", .day, "2011-12-30T10:00:00Z",
            "2011-12-31T00:00:00+14:00/2012-01-01T00:00:00+14:00"
        ),
        // Midnight does not exist: the day begins at 01:00.
        (
            "America/Sao_Paulo", .day, "2018-11-04T12:00:00Z",
            "2018-11-04T01:00:00-02:00/2018-11-05T00:00:00-02:00"
        ),
        (
            "America/Sao_Paulo", .day, "2018-02-18T02:30:00Z",
            "2018-02-17T00:00:00-02:00/2018-02-18T00:00:00-03:00"
        ),
        // 00:01 fell back to 23:01: the day before does not begin anew.
        (
            "America/St_Johns", .day, "2010-11-07T03:00:00Z",
            "2010-11-07T00:00:00-02:30/2010-11-08T00:00:00-03:30"
        ),
        (
            "Africa/Casablanca", .month, "2026-03-15T00:00:00Z",
            "2026-03-01T00:00:00Z/2026-04-01T00:00:00+01:00"
        ),
        (
            "Europe/Berlin", .quarter, "2026-03-31T21:59:59Z",
            "2026-01-01T00:00:00+01:00/2026-04-01T00:00:00+02:00"
        ),
        (
            "Europe/Berlin", .quarter, "2026-03-31T22:00:00Z",
            "2026-04-01T00:00:00+02:00/2026-07-01T00:00:00+02:00"
        ),
        (
            "America/New_York", .quarter, "2026-11-30T00:00:00Z",
            "2026-10-01T00:00:00-04:00/2027-01-01T00:00:00-05:00"
        ),
        (
            "UTC", .quarter, "1969-12-31T23:59:59Z",
            "1969-10-01T00:00:00Z/1970-01-01T00:00:00Z"
        ),
        ("UTC", .quarter, "2028-02-29T00:00:00Z", "2028-01-01T00:00:00Z/2028-04-01T00:00:00Z"),
        (
            "UTC", .year, "2024-12-31T23:59:59.999999Z",
            "2024-01-01T00:00:00Z/2025-01-01T00:00:00Z"
        ),
        ("UTC", .month, "2100-02-15T00:00:00Z", "2100-02-01T00:00:00Z/2100-03-01T00:00:00Z"),
        ("UTC", .month, "2024-02-29T00:00:00Z", "2024-02-01T00:00:00Z/2024-03-01T00:00:00Z"),
    ])
    func calendar(name: String, unit: PeriodUnit, at: String, expected: String) throws {
        let zone = try zone(name)
        let rule = PeriodRule(unit: unit, anchor: .calendar)
        #expect(rule.period(containing: try instant(at), zone: zone).text(zone) == expected)
    }

    @Test(arguments: [
        // 31 January: short months end it early, the day comes back.
        (
            "UTC", PeriodUnit.month, "2026-01-31T00:00:00Z", "2026-02-27T23:59:59Z",
            "2026-01-31T00:00:00Z/2026-02-28T00:00:00Z"
        ),
        (
            "UTC", .month, "2026-01-31T00:00:00Z", "2026-03-01T00:00:00Z",
            "2026-02-28T00:00:00Z/2026-03-31T00:00:00Z"
        ),
        (
            "UTC", .month, "2024-01-31T00:00:00Z", "2024-03-01T00:00:00Z",
            "2024-02-29T00:00:00Z/2024-03-31T00:00:00Z"
        ),
        (
            "UTC", .month, "2100-01-29T00:00:00Z", "2100-03-01T00:00:00Z",
            "2100-02-28T00:00:00Z/2100-03-29T00:00:00Z"
        ),
        (
            "UTC", .month, "2026-01-30T12:00:00Z", "2026-04-30T11:59:59Z",
            "2026-03-30T12:00:00Z/2026-04-30T12:00:00Z"
        ),
        (
            "UTC", .year, "2024-02-29T00:00:00Z", "2027-01-01T00:00:00Z",
            "2026-02-28T00:00:00Z/2027-02-28T00:00:00Z"
        ),
        (
            "UTC", .year, "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z",
            "2028-02-29T00:00:00Z/2029-02-28T00:00:00Z"
        ),
        // Quarters: the day that a short month lacks comes back, too.
        (
            "UTC", .quarter, "2026-11-30T00:00:00Z", "2027-02-28T00:00:00Z",
            "2027-02-28T00:00:00Z/2027-05-30T00:00:00Z"
        ),
        (
            "UTC", .quarter, "2027-11-29T00:00:00Z", "2028-03-01T00:00:00Z",
            "2028-02-29T00:00:00Z/2028-05-29T00:00:00Z"
        ),
        (
            "UTC", .quarter, "2026-08-31T06:00:00Z", "2026-11-30T05:59:59Z",
            "2026-08-31T06:00:00Z/2026-11-30T06:00:00Z"
        ),
        (
            "UTC", .quarter, "2026-08-31T00:00:00Z", "2026-07-01T00:00:00Z",
            "2026-05-31T00:00:00Z/2026-08-31T00:00:00Z"
        ),
        (
            "Europe/Berlin", .quarter, "2026-01-14T23:00:00Z", "2026-05-01T00:00:00Z",
            "2026-04-15T00:00:00+02:00/2026-07-15T00:00:00+02:00"
        ),
        // Before the start, too.
        (
            "UTC", .month, "2026-03-31T00:00:00Z", "2026-02-10T00:00:00Z",
            "2026-01-31T00:00:00Z/2026-02-28T00:00:00Z"
        ),
        (
            "UTC", .hour, "2026-01-01T00:30:00Z", "2026-01-01T00:00:00Z",
            "2025-12-31T23:30:00Z/2026-01-01T00:30:00Z"
        ),
        // The same local time of day on both sides of a clock change.
        (
            "Europe/Berlin", .month, "2026-01-30T23:00:00Z", "2026-04-15T00:00:00Z",
            "2026-03-31T00:00:00+02:00/2026-04-30T00:00:00+02:00"
        ),
        (
            "Europe/Berlin", .day, "2026-03-01T01:30:00Z", "2026-03-29T01:30:00Z",
            "2026-03-29T03:00:00+02:00/2026-03-30T02:30:00+02:00"
        ),
        (
            "Europe/Berlin", .day, "2026-10-01T00:30:00Z", "2026-10-25T12:00:00Z",
            "2026-10-25T02:30:00+02:00/2026-10-26T02:30:00+01:00"
        ),
        // The start lies in the second pass of an overlap and stays there.
        (
            "Europe/Berlin", .day, "2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z",
            "2026-10-25T02:30:00+01:00/2026-10-26T02:30:00+01:00"
        ),
        (
            "Europe/Berlin", .day, "2026-10-25T01:30:00Z", "2026-10-25T01:29:59Z",
            "2026-10-24T02:30:00+02:00/2026-10-25T02:30:00+01:00"
        ),
        (
            "Europe/Berlin", .hour, "2026-10-25T00:15:00Z", "2026-10-25T01:20:00Z",
            "2026-10-25T02:15:00+01:00/2026-10-25T03:15:00+01:00"
        ),
        (
            "America/New_York", .week, "2026-02-27T15:00:00Z", "2026-03-08T12:00:00Z",
            "2026-03-06T10:00:00-05:00/2026-03-13T10:00:00-04:00"
        ),
        // The skipped day of Samoa.
        (
            "Pacific/Apia", .month, "2011-10-30T10:00:00Z", "2011-12-30T12:00:00Z",
            "2011-12-31T00:00:00+14:00/2012-01-30T00:00:00+14:00"
        ),
        (
            "Asia/Kathmandu", .month, "2026-01-31T00:00:00.000001Z", "2026-02-28T00:00:00Z",
            "2026-01-31T05:45:00.000001+05:45/2026-02-28T05:45:00.000001+05:45"
        ),
    ])
    func subscription(
        name: String, unit: PeriodUnit, start: String, at: String, expected: String
    ) throws {
        let zone = try zone(name)
        let rule = PeriodRule(unit: unit, anchor: .subscription(start: try instant(start)))
        #expect(rule.period(containing: try instant(at), zone: zone).text(zone) == expected)
    }

    @Test func lifetimeIsAllTime() {
        for anchor in [PeriodAnchor.calendar, .subscription(start: Timestamp(seconds: 0))] {
            let rule = PeriodRule(unit: .lifetime, anchor: anchor)
            #expect(rule.period(containing: Timestamp(seconds: 1), zone: .utc) == .lifetime)
        }
    }

    /// Whatever the zone, anchor and unit: the period holds the instant, its neighbours touch it,
    /// and every instant of it gives the same period.
    @Test func periodsTileTheTimeLine() throws {
        var random = SeededGenerator(state: 20_261_121)
        let names = try zoneNames()
        let zones = try names.map { try zone($0) }
        let units = PeriodUnit.allCases.filter { $0 != .lifetime }
        let changes: [Int64] = [
            -3_942_000_000, 1_325_239_200, 1_774_746_000, 1_792_890_000, 1_541_300_400,
            1_775_314_800, -7_982_000_000, -14_159_025_600, 4_107_542_400,
        ]
        for round in 0..<30_000 {
            let zone = zones[Int.random(in: 0..<zones.count, using: &random)]
            // Wide, or close to an instant around which some zone changes its clock.
            let centre = changes[Int.random(in: 0..<changes.count, using: &random)]
            func pick() -> Timestamp {
                let isNear = Bool.random(using: &random)
                let second =
                    isNear
                    ? centre + Int64.random(in: -200_000...200_000, using: &random)
                    : Int64.random(in: -20_000_000_000...40_000_000_000, using: &random)
                let micros = Int64.random(in: 0...3, using: &random) * 333_333
                return Timestamp(microseconds: second * 1_000_000 + micros)
            }
            let at = pick()
            let unit = units[Int.random(in: 0..<units.count, using: &random)]
            let anchor: PeriodAnchor =
                Bool.random(using: &random) ? .calendar : .subscription(start: pick())
            let rule = PeriodRule(unit: unit, anchor: anchor)
            let period = rule.period(containing: at, zone: zone)
            let last = Timestamp(microseconds: period.end.microseconds - 1)
            let before = Timestamp(microseconds: period.start.microseconds - 1)
            let inside = Timestamp(
                microseconds: Int64.random(
                    in: period.start.microseconds...last.microseconds, using: &random))
            let holds =
                period.contains(at) && rule.period(containing: period.start, zone: zone) == period
                && rule.period(containing: last, zone: zone) == period
                && rule.period(containing: inside, zone: zone) == period
                && rule.period(containing: period.end, zone: zone).start == period.end
                && rule.period(containing: before, zone: zone).end == period.start
            #expect(holds, "round \(round): \(zone.name) \(rule) at \(at.rfc3339())")
            if case .subscription(let start) = anchor {
                #expect(rule.period(containing: start, zone: zone).start == start)
            }
        }
    }

    @Test func endsOfTimeDoNotTrap() throws {
        let zone = try zone("America/New_York")
        for unit in PeriodUnit.allCases {
            for micros in [Int64.min, -1, .max] {
                for start in [Int64.min, 0, .max] {
                    let anchor = PeriodAnchor.subscription(start: Timestamp(microseconds: start))
                    let at = Timestamp(microseconds: micros)
                    let anchored = PeriodRule(unit: unit, anchor: anchor)
                    let calendar = PeriodRule(unit: unit, anchor: .calendar)
                    let periods = [anchored, calendar].map { $0.period(containing: at, zone: zone) }
                    #expect(periods.allSatisfy { $0.start < $0.end })
                }
            }
        }
    }
}
