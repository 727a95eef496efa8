export function mountComplete() {}
