internal import MeteringModel

/// Decisions and times as JSON. Times of a period stand in the customer's zone.
struct DecisionDocument: Sendable {
    let offsetSeconds: @Sendable (String, Timestamp) -> Int

    func write(_ decision: Decision, to writer: inout JSONWriter) {
        writer.object { writeMembers(decision, to: &$0) }
    }

    func writeMembers(_ decision: Decision, to writer: inout JSONWriter) {
        let scale = decision.scale
        writer.member("\"allowed\":", decision.isAllowed)
        writer.member("\"reason\":", decision.reason.rawValue)
        writer.member("\"customer\":", decision.customer.rawValue)
        writer.member("\"feature\":", decision.feature.rawValue)
        writer.name("\"quantity\":")
        writer.quantity(decision.quantity, scale: scale)
        writer.name("\"limit\":")
        if let limit = decision.limit?.finite {
            writer.quantity(limit, scale: scale)
        } else {
            writer.null()
        }
        writer.name("\"used\":")
        writer.quantity(decision.used, scale: scale)
        writer.name("\"held\":")
        writer.quantity(decision.held, scale: scale)
        writer.name("\"remaining\":")
        if isUnbounded(decision) {
            writer.null()
        } else {
            writer.quantity(decision.remaining, scale: scale)
        }
        writer.name("\"overage\":")
        writer.quantity(decision.overage, scale: scale)
        writer.member("\"unlimited\":", decision.limit == .unlimited)
        writePeriod(decision.period, zone: decision.timeZone, to: &writer)
        writer.member("\"thresholds_crossed\":", decision.thresholdsCrossed)
        writer.member("\"limit_source\":", decision.limitSource)
        writer.member("\"mode\":", decision.mode.rawValue)
        writer.name("\"usage_complete_to\":")
        writer.time(decision.usageCompleteTo)
        writer.name("\"overrun_bound\":")
        writer.quantity(decision.overrunBound, scale: scale)
        writer.name("\"decided_at\":")
        writer.time(decision.decidedAt)
        writer.member("\"revision\":", decision.revision)
        if decision.isCharged { writer.member("\"charged\":", true) }
        if let limiting = decision.limitingCustomer {
            writer.member("\"limiting_customer\":", limiting.rawValue)
        }
        if let value = decision.value {
            writer.member("\"value\":", value)
        }
        if let hint = decision.upgradeHint {
            writer.member("\"upgrade_hint\":", hint)
        }
    }

    /// Nothing limits what remains, so no number can say it.
    private func isUnbounded(_ decision: Decision) -> Bool {
        switch decision.limit {
        case .finite: false
        case .unlimited: true
        case nil: decision.isAllowed
        }
    }

    private func writePeriod(_ period: Period?, zone: String, to writer: inout JSONWriter) {
        writer.name("\"period\":")
        guard let period else {
            writer.null()
            writer.name("\"resets_at\":")
            writer.null()
            return
        }
        self.period(period, zone: zone, to: &writer)
        writer.name("\"resets_at\":")
        time(period.end, zone: zone, to: &writer)
    }

    func period(_ period: Period, zone: String, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("\"start\":")
            time(period.start, zone: zone, to: &writer)
            writer.name("\"end\":")
            time(period.end, zone: zone, to: &writer)
        }
    }

    /// In a zone; null for the ends of a lifetime.
    func time(_ instant: Timestamp, zone: String, to writer: inout JSONWriter) {
        if instant <= .distantPast || instant >= .distantFuture {
            writer.null()
        } else {
            let offset = offsetSeconds(zone, instant)
            writer.raw { text in
                text.append(UInt8(ascii: "\""))
                TimeText.write(instant, offsetSeconds: offset, to: &text)
                text.append(UInt8(ascii: "\""))
            }
        }
    }
}

extension JSONWriter {
    /// A JSON integer at scale 0, else a decimal string, so that no reader rounds it.
    @inline(__always)
    mutating func quantity(_ units: Int64, scale: Int) {
        if scale == 0 {
            value(units)
        } else {
            value(DecimalQuantity.text(units: units, scale: scale))
        }
    }

    /// In UTC; null when there is none, or it lies outside the years 1 to 9999.
    mutating func time(_ instant: Timestamp?) {
        guard let instant, instant > .distantPast, instant < .distantFuture else { return null() }
        raw { text in
            text.append(UInt8(ascii: "\""))
            TimeText.write(instant, to: &text)
            text.append(UInt8(ascii: "\""))
        }
    }
}
