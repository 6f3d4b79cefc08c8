import Entitlements
import EventDecoding
import MeteringModel
import MeteringPorts

/// Reads what meters want from a decoded event.
enum EventValues {
    /// Values beyond this are refused, so that a batch's sums stay inside Int64.
    static let maximumMagnitude: UInt64 = 1 << 61

    static func passes(
        _ event: borrowing DecodedEvent, _ filters: [CompiledMeter.FilterSlot]
    ) -> Bool {
        for filter in filters {
            let isAccepted = event.withValue(filter.slot) { kind, text in
                kind != .missing && kind != .null && kind != .composite && filter.accepts(text)
            }
            if !isAccepted { return false }
        }
        return true
    }

    static func units(
        _ event: borrowing DecodedEvent, _ slot: Int, _ meter: CompiledMeter
    ) -> Result<Int64, EventProblem> {
        event.withValue(slot) { kind, text in
            guard kind == .number || kind == .string else {
                let code = kind == .missing || kind == .null ? "missing_value" : "invalid_value"
                return .failure(
                    EventProblem(code: code, detail: "the value is no number (\(kind))"))
            }
            do throws(DecimalQuantity.Failure) {
                let units = try DecimalQuantity(bytes: text).units(scale: meter.scale)
                if units < 0, !meter.allowsNegative {
                    return .failure(
                        EventProblem(code: "negative_value", detail: "the value is below zero"))
                }
                if units.magnitude > maximumMagnitude {
                    return .failure(
                        EventProblem(code: "value_overflow", detail: "the value is too large"))
                }
                return .success(units)
            } catch {
                return .failure(describe(error, meter))
            }
        }
    }

    static func missing(_ snapshot: CatalogSnapshot, _ meter: CompiledMeter) -> EventProblem {
        let definition = snapshot.meters[meter.meterIndex]
        return EventProblem(
            code: "missing_value",
            detail: "meter \(definition.key) wants \(definition.value?.text ?? "a value")")
    }

    private static func describe(
        _ failure: DecimalQuantity.Failure, _ meter: CompiledMeter
    ) -> EventProblem {
        switch failure {
        case .notANumber:
            EventProblem(code: "invalid_value", detail: "the value is not a decimal number")
        case .overflow:
            EventProblem(code: "value_overflow", detail: "the value does not fit 64 bits")
        case .tooPrecise:
            EventProblem(
                code: "value_too_precise",
                detail: "the meter keeps \(meter.scale) decimal places, the value has more")
        }
    }

    static func bytes(_ span: RawSpan, _ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for index in 0..<count { bytes.append(span.byte(at: index)) }
        return bytes
    }
}
