// What scripts/browsers.mjs checks besides what it finds by itself, and what it lets pass. Paths are those of MDN's
// browser-compat-data; each stands for all that is below it.

/** APIs of the program in Rust that its web-sys features do not show, each with a pattern that finds its use. */
export const NEEDS = {
  'api.BroadcastChannel.message_event': /BroadcastChannel::new/,
  'api.Clipboard.writeText': /"clipboard"/,
  'api.FileSystemFileHandle.createWritable': /createWritable/,
  'api.HTMLDialogElement.showModal': /show_modal/,
  'api.HTMLMediaElement.srcObject': /set_src_object/,
  'api.LockManager.request': /type LockManager/,
  'api.MediaDevices.enumerateDevices': /enumerateDevices/,
  'api.MediaDevices.getDisplayMedia': /getDisplayMedia/,
  'api.Navigator.connection': /"connection"/,
  'api.Navigator.share': /"share"/,
  'api.RTCDataChannel.bufferedamountlow_event': /"bufferedamountlow"/,
  'api.RTCPeerConnection.connectionstatechange_event': /"connectionstatechange"/,
  'api.RTCPeerConnection.restartIce': /restartIce/,
  'api.RTCPeerConnection.setConfiguration': /set_configuration/,
  'api.RTCPeerConnection.setLocalDescription.description_parameter_optional': /js_name = setLocalDescription/,
  'api.RTCRtpSender.replaceTrack': /replace_track/,
  'api.RTCRtpSender.setParameters': /setParameters/,
  'api.RTCSctpTransport.maxMessageSize': /"maxMessageSize"/,
  'api.RTCStatsReport.type_transport': /"selectedCandidatePairId"/,
  'api.StorageManager.getDirectory': /"getDirectory"/,
  'api.Window.requestIdleCallback': /request_?idle_?callback/i,
  'html.elements.link.rel.modulepreload': /modulepreload/,
  'html.elements.script.type.module': /type="module"/,
  'html.elements.meta.name.viewport.interactive-widget': /interactive-widget/,
  'http.headers.Content-Security-Policy.script-src.wasm-unsafe-eval': /wasm-unsafe-eval/,
  'webassembly.bulk-memory-operations': /--enable-bulk-memory/,
  'webassembly.multi-value': /--enable-multivalue/,
  'webassembly.non-trapping-float-to-int-conversions': /--enable-nontrapping-float-to-int/,
  'webassembly.reference-types': /--enable-reference-types/,
  'webassembly.sign-extension-operations': /--enable-sign-ext/,
};

/** Features that may be missing, and what happens then. An entry that nothing uses is an error. */
export const DEGRADES = {
  'api.FileSystemFileHandle.createWritable': 'received files are kept in memory',
  'api.MediaDevices.getDisplayMedia': 'phones share no screen, and the page says so',
  'api.Navigator.connection': 'a change of network is noticed by the link instead',
  'api.Navigator.share': 'the button is left out',
  'api.RTCStatsReport.type_transport': 'the selected pair is found by its own entry',
  'api.TrustedTypePolicy': 'the content security policy alone keeps scripts out',
  'api.TrustedTypePolicyFactory': 'the same',
  'api.Window.requestIdleCallback': 'the remembered name is read at once',
  'css.properties.cursor': 'a finger has no pointer',
  'css.properties.field-sizing': 'the field is given its height by the program',
  'css.properties.font-family.ui-monospace': 'the next font in the list',
  'css.properties.forced-color-adjust': 'where it is missing, so are forced colours',
  'css.properties.resize': 'phones have no handle to drag',
  'css.properties.scrollbar-width': 'a scroll bar is in view',
  'css.properties.text-wrap': 'lines are of unequal length',
  'css.selectors.has': 'faces are larger beside a screen, and an invitation is in view twice',
  'html.elements.link.rel.modulepreload': 'the program is fetched a moment later',
  'html.elements.meta.name.viewport.interactive-widget': 'the page is scrolled to the field above the keyboard',
};

/** Features that the style's build replaces: allowed in the source, but not in the built file. */
export const TRANSLATED = {
  'css.properties.user-select': 'prefixed',
  'css.types.color.light-dark': 'variables that color-scheme sets',
};
