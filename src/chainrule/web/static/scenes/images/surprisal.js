export function mountSurprisal() {}
