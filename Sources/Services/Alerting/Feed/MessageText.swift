import MeteringModel
import MeteringPorts

/// The text of a message, as Standard Webhooks has it.
enum MessageText {
    /// - Parameter data: JSON.
    static func body(type: String, at: Timestamp, data: String) -> String {
        "{\"type\":\(CanonicalJSON.string(type)),\"timestamp\":\"\(at.rfc3339())\",\"data\":\(data)}"
    }

    /// What is told: a notification whose data is too large for one message is told without it.
    static func body(_ notification: Notification, bytesMax: Int) -> String {
        let data = notification.data.canonicalText
        let body = body(type: notification.type, at: notification.at, data: data)
        if body.utf8.count < bytesMax { return body }
        let note = JSONValue.members([
            "id": .string(notification.id),
            "customer": notification.customer.map { .string($0.rawValue) },
            "feature": notification.feature.map { .string($0.rawValue) },
            "left_out": .string("the data has \(data.utf8.count) bytes, too many for a message"),
        ])
        return Self.body(
            type: notification.type, at: notification.at, data: note.canonicalText)
    }
}
