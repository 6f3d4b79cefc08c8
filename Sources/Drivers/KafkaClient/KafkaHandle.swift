import CLibrdkafka
import Synchronization

/// What librdkafka's callbacks reach through their opaque pointer. The handle retains it until
/// after `rd_kafka_destroy` has returned, so that no callback can outlive it.
@safe
final class CallbackContext {
    /// Set once, before the handle exists: read by librdkafka's own threads.
    let log: KafkaLogSink?
    /// The rest is set before the first poll and called only by the thread that polls.
    var onError: (KafkaError) -> Void = { _ in }
    var onRebalance:
        (rd_kafka_resp_err_t, UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?)
            -> Void = { _, _ in }
    var onDelivery: (KafkaDelivery) -> Void = { _ in }

    init(log: KafkaLogSink?) { self.log = log }

    /// - SAFETY: `opaque` must come from a live handle made by `KafkaHandle`.
    @unsafe static func from(_ opaque: UnsafeMutableRawPointer?) -> CallbackContext? {
        guard let opaque = unsafe opaque else { return nil }
        return unsafe Unmanaged<CallbackContext>.fromOpaque(opaque).takeUnretainedValue()
    }
}

/// Owns one `rd_kafka_t`. librdkafka's handles are safe to use from several threads; destroying is
/// the owner's last act.
@safe
final class KafkaHandle: @unchecked Sendable {
    enum Kind {
        case producer, consumer
    }

    /// Valid until `destroy`.
    let raw: OpaquePointer
    private let kind: Kind
    private let context: Unmanaged<CallbackContext>
    private let isDestroyed = Atomic(false)

    /// - Throws: a `KafkaError` that names the property when one is wrong.
    init(
        _ kind: Kind, _ configuration: KafkaConfiguration, context: CallbackContext
    ) throws(KafkaError) {
        let native = try ConfigurationHandle(configuration)
        self.kind = kind
        // SAFETY: the context is released after the handle is destroyed, or right below when no
        // handle comes to be; callbacks run in between only.
        unsafe self.context = Unmanaged.passRetained(context)
        unsafe native.install(self.context.toOpaque(), kind)
        var text = [CChar](repeating: 0, count: 512)
        let made = unsafe rd_kafka_new(
            kind == .producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, native.pointer, &text,
            text.count)
        guard let made = unsafe made else {
            unsafe self.context.release()
            throw KafkaError(
                code: .invalidArgument, attempt: "make a Kafka \(kind) (\(configuration))",
                detail: text.asText)
        }
        native.handedOver()
        unsafe raw = made
    }

    deinit {
        _ = destroy(withinMilliseconds: 0)
    }

    /// Frees the handle on a thread of its own, because librdkafka 2.0.2 may hang in there.
    /// - Returns: whether it was done in time. When not, the memory stays with the hung thread.
    func destroy(withinMilliseconds limit: Int) -> Bool {
        guard !isDestroyed.exchange(true, ordering: .acquiringAndReleasing) else { return true }
        // SAFETY: the pointers are used by the one thread that destroys; the flag above makes
        // sure of one. Numbers carry them across, since pointers are not Sendable.
        let rawBits = unsafe UInt(bitPattern: raw)
        let contextBits = unsafe UInt(bitPattern: context.toOpaque())
        // Consumers are closed before, with a deadline; the destructor must not try it again.
        let flags = kind == .consumer ? RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE : 0
        let latch = Latch()
        let work: @Sendable () -> Void = {
            unsafe rd_kafka_destroy_flags(OpaquePointer(bitPattern: rawBits), flags)
            if let context = unsafe UnsafeRawPointer(bitPattern: contextBits) {
                unsafe Unmanaged<CallbackContext>.fromOpaque(context).release()
            }
            latch.open()
        }
        if !OwnedThread.start(work) { work() }
        return limit > 0 ? latch.wait(milliseconds: limit) : false
    }

    /// The reason for which the handle can do nothing more, if there is one.
    var fatalError: KafkaError? {
        var text = [CChar](repeating: 0, count: 512)
        // SAFETY: `raw` is valid and the buffer has the length that is passed.
        let code = unsafe rd_kafka_fatal_error(raw, &text, text.count)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return KafkaError(
            code: KafkaErrorCode(code), attempt: "go on with the client", detail: text.asText)
    }
}

/// Owns an `rd_kafka_conf_t` until a handle takes it over.
@safe
private final class ConfigurationHandle {
    let pointer: OpaquePointer
    private var isOwned = true

    init(_ configuration: KafkaConfiguration) throws(KafkaError) {
        // SAFETY: librdkafka aborts rather than answering NULL here.
        guard let made = unsafe rd_kafka_conf_new() else {
            throw KafkaError(code: .noResources, attempt: "make a configuration")
        }
        unsafe pointer = made
        for (name, value) in configuration.properties.sorted(by: { $0.key < $1.key }) {
            try set(name, value)
        }
    }

    deinit {
        // SAFETY: destroyed once, and not when rd_kafka_new has taken it over.
        if isOwned { unsafe rd_kafka_conf_destroy(pointer) }
    }

    func handedOver() { isOwned = false }

    private func set(_ name: String, _ value: String) throws(KafkaError) {
        var text = [CChar](repeating: 0, count: 512)
        // SAFETY: strings live for the call; the buffer has the length that is passed.
        let code = unsafe rd_kafka_conf_set(pointer, name, value, &text, text.count)
        guard code != RD_KAFKA_CONF_OK else { return }
        // librdkafka may quote the value: not for secrets.
        let detail =
            code == RD_KAFKA_CONF_UNKNOWN
            ? "librdkafka knows no such property"
            : KafkaConfiguration.isSecret(name) ? "its value is not valid" : text.asText
        throw KafkaError(
            code: .invalidArgument, attempt: "set Kafka property \"\(name)\"", detail: detail)
    }

    func install(_ opaque: UnsafeMutableRawPointer, _ kind: KafkaHandle.Kind) {
        // SAFETY: callbacks get back the context that the handle retains for their whole life.
        unsafe rd_kafka_conf_set_opaque(pointer, opaque)
        unsafe rd_kafka_conf_set_log_cb(pointer) { handle, severity, facility, text in
            guard let handle = unsafe handle,
                let sink = unsafe CallbackContext.from(rd_kafka_opaque(handle))?.log
            else { return }
            unsafe sink(
                KafkaLogLine(
                    severity: Int(severity), facility: facility.asText, text: text.asText))
        }
        unsafe rd_kafka_conf_set_error_cb(pointer) { _, code, reason, opaque in
            let code = KafkaErrorCode(rawValue: code)
            unsafe CallbackContext.from(opaque)?.onError(
                KafkaError(code: code, attempt: "talk to the brokers", detail: reason.asText))
        }
        switch kind {
        case .consumer:
            unsafe rd_kafka_conf_set_rebalance_cb(pointer) { _, code, list, opaque in
                unsafe CallbackContext.from(opaque)?.onRebalance(code, list)
            }
        case .producer:
            unsafe rd_kafka_conf_set_dr_msg_cb(pointer) { _, message, opaque in
                guard let message = unsafe message else { return }
                unsafe CallbackContext.from(opaque)?.onDelivery(KafkaDelivery(message))
            }
        }
    }
}

extension [CChar] {
    /// The text up to the first NUL, repaired where it is not UTF-8.
    var asText: String {
        String(decoding: prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension Optional<UnsafePointer<CChar>> {
    /// The text of a C string, or nothing for NULL.
    var asText: String {
        // SAFETY: librdkafka's strings are NUL-terminated and live for the callback.
        guard let pointer = self else { return "" }
        return unsafe String(cString: pointer)
    }
}
