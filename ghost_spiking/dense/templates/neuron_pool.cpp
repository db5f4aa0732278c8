{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cpp' %}
{% import 'macros.cpp' as _macros %}
{% set _float = c_data_type(variables['v'].dtype) %}
{% macro _array(name) %}{{get_array_name(variables[name])}}{% endmacro %}
{% block extra_headers %}
{% include 'pool_bits.h' %}
{% endblock %}

{% block maincode %}
    {{_macros.scalars(scalar_code, vector_code)}}
    {{_macros.evaluate('post', size, scalar_code, vector_code)}}
    const uint64_t _pool_key = pool_key(_seed, _presentation, _step, {{stream}});
    const uint32_t _pool_first = (uint32_t)_pool_key, _pool_second = (uint32_t)(_pool_key >> 32);
    {% for value in values %}
    const {{_float}} _pool_{{value}} = {{_array(value)}}[0];
    {% endfor %}
    const {{_float}} _pool_part = {{_array('dt')}}[0] / _pool_membrane_time;
    const {{_float}} _pool_amplitude = _pool_noise * std::sqrt(2 * _pool_part) / ({{_float}})147.80054127099805;
    const {{_float}}* __restrict _pool_drive = {{_array('_drive')}};
    {{c_data_type(variables['_count'].dtype)}}* __restrict _pool_count = {{_array('_count')}};
    if (_step == 0)
    {
        {{_float}}* __restrict _pool_v = {{_array('v')}};
        {{_macros.in_parallel(size * neurons)}}
        for (uint32_t i = 0; i < {{size * neurons}}u; i++)
            _pool_v[i] = _pool_reset + (_pool_threshold - _pool_reset) * ({{_float}})(pool_bits(i, _pool_second, _pool_first) >> 8) / 16777216;
    }
    for (size_t i = 0; i < {{size}}; i++)
        _pool_count[i] = 0;
    for (uint32_t k = 0; k < {{neurons}}u; k++)
    {
        {{_float}}* __restrict _pool_v = {{_array('v')}} + k * {{size}}u;
        {{c_data_type(variables['spiked'].dtype)}}* __restrict _pool_spiked = {{_array('spiked')}} + k * {{size}}u;
        {{_macros.in_parallel(size)}}
        for (uint32_t i = 0; i < {{size}}u; i++)
        {
            const uint32_t _pool_bits = pool_bits(k * {{size}}u + i, _pool_first, _pool_second);
            const int32_t _pool_sum = (int32_t)((_pool_bits & 255) + ((_pool_bits >> 8) & 255) + ((_pool_bits >> 16) & 255) + (_pool_bits >> 24)) - 510;
            const {{_float}} _pool_moved = _pool_v[i] + _pool_part * (_pool_resting - _pool_v[i] + _pool_offset + _pool_gain * _pool_drive[i]) + _pool_amplitude * ({{_float}})_pool_sum;
            const bool _pool_fires = _pool_moved >= _pool_threshold;
            _pool_v[i] = _pool_fires ? _pool_reset : _pool_moved;
            _pool_spiked[i] = _pool_fires;
            _pool_count[i] += _pool_fires ? 1 : 0;
        }
    }
{% endblock %}
