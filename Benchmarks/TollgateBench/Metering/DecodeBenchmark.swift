import CSimdJSON
import Entitlements
import EventDecoding
import MeteringModel

/// Reading one event and finding out what it counts for, against bare simdjson.
struct DecodeBenchmark {
    let options: BenchOptions
    let report: Report

    func run() throws {
        let load = try Workload(count: 20_000)
        let rounds = options.isSmoke ? 5 : 50
        let ours = Decoding(load)
        let bare = try BareScan(load)
        var sum: Int64 = 0
        let nanoseconds = try Measure.alternating(runs: max(3, options.runs)) {
            try Measure.nanoseconds { for _ in 0..<rounds { sum = try ours.pass() } }
        } _: {
            try Measure.nanoseconds { for _ in 0..<rounds { try bare.pass() } }
        }
        guard sum == load.expectedTotal else {
            throw BenchmarkFailure("decoding added up \(sum), not \(load.expectedTotal)")
        }
        let perEvent = Double(rounds * load.count)
        let ratio = nanoseconds.first / nanoseconds.second
        report.add(
            ReportRow(
                name: "decode + match, \(Int(load.bytesPerEvent)) bytes",
                ours: "\((nanoseconds.first / perEvent).short) ns",
                reference: "simdjson \((nanoseconds.second / perEvent).short) ns",
                ratio: ratio.short, reachFirst: "<= 3", isMet: ratio <= 3))
    }
}

/// Decode, find meters and customer, read time and quantity, as the pipeline does.
private struct Decoding {
    let load: Workload
    let decoder: EventDecoder

    init(_ load: Workload) {
        self.load = load
        decoder = EventDecoder(plan: DecodePlan(paths: load.snapshot.paths.map(\.members)))
    }

    func pass() throws -> Int64 {
        let snapshot = load.snapshot
        let hash = snapshot.hash
        let all = load.bytes
        // SAFETY: bytes are plain data, and the array outlives the pass.
        let bytes = unsafe all.span.bytes
        var sum: Int64 = 0
        var unknown = 0
        for index in 0..<load.count {
            let event = bytes.extracting(load.event(index))
            try decoder.decodeStructured(event) { event in
                let meters = event.withAttribute(.type) {
                    snapshot.metersOfType(hash.hash($0), $0)
                }
                let customer = event.withAttribute(.subject) {
                    snapshot.customerIndex(subjectHash: hash.hash($0), subject: $0)
                }
                let time = event.withAttribute(.time) { Timestamp(rfc3339: $0) }
                if customer == nil || time == nil { unknown += 1 }
                for meter in meters {
                    guard let slot = meter.valueSlot else { continue }
                    sum &+= event.withValue(slot) { _, text in
                        (try? DecimalQuantity(bytes: text).units(scale: meter.scale)) ?? 0
                    }
                }
            }
        }
        guard unknown == 0 else { throw BenchmarkFailure("\(unknown) events match nobody") }
        return sum
    }
}

/// simdjson On-Demand and nothing else, over the same events.
@safe
private final class BareScan {
    private let load: Workload
    private let padded: [UInt8]
    private let reference: OpaquePointer

    init(_ load: Workload) throws {
        self.load = load
        guard let reference = unsafe tg_reference_create(1 << 20) else {
            throw BenchmarkFailure("no memory for simdjson")
        }
        unsafe self.reference = reference
        padded = load.bytes + [UInt8](repeating: 0, count: tg_reference_padding())
    }

    deinit {
        // SAFETY: nothing else holds the handle.
        unsafe tg_reference_destroy(reference)
    }

    func pass() throws {
        var failures = 0
        for index in 0..<load.count {
            let range = load.event(index)
            // SAFETY: the padding follows the last event, and following events pad the others.
            let checksum = unsafe padded.withUnsafeBufferPointer { bytes in
                unsafe bytes.baseAddress.map {
                    unsafe tg_reference_scan(reference, $0 + range.lowerBound, range.count)
                } ?? 0
            }
            if checksum == 0 { failures += 1 }
        }
        guard failures == 0 else { throw BenchmarkFailure("simdjson refused \(failures) events") }
    }
}
